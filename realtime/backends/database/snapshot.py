"""A PostgreSQL snapshot as a position: it says which transactions were seen.

A snapshot sees every transaction below `xmax`, except those that were still running. A record holds
its writer's transaction id, and was seen if that transaction was. So every later commit comes after
the position, even if its transaction began long before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

LONGEST_OFFSET = 400
"""Characters of a cursor's offset at most."""

DIGITS = 18
"""Digits of a number in a cursor at most: each number of 18 digits fits an id's column."""


def whole_number(text: str) -> int | None:
    """Return a number in its canonical spelling; None for any other text.

    So one position has one text.
    """
    fits = text.isdecimal() and len(text) <= DIGITS
    return int(text) if fits and text == str(int(text)) else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The transactions that a snapshot does not see: those from `xmax` on, and `running`.

    `running` is in ascending order, below `xmax`.
    """

    xmax: int
    running: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str, own: int | None) -> Self:
        """Read the result of `pg_current_snapshot()`, taken in the transaction with the id `own`.

        `own` is None if that transaction has no id. PostgreSQL does not list it as running. It is
        added, since it may write more records, which no reader has seen.
        """
        _, xmax, running = text.split(":")
        found = {int(xid) for xid in running.split(",") if xid}
        if own is not None and own < int(xmax):
            found.add(own)
        return cls(int(xmax), tuple(sorted(found)))

    @classmethod
    def parse(cls, offset: str) -> Self | None:
        """Read a cursor's offset; return None for text that `offset` cannot have written."""
        numbers = [whole_number(part) for part in offset.split("~")]
        xmax, *distances = (-1 if number is None else number for number in numbers)
        if min(xmax, *distances, 1) < 1 or max(distances, default=0) > xmax:
            return None
        if distances != sorted(set(distances), reverse=True):
            return None
        return cls(xmax, tuple(xmax - distance for distance in distances))

    @property
    def offset(self) -> str:
        """A cursor's offset: `xmax`, then the distance of each running transaction below it."""
        return "~".join(map(str, (self.xmax, *(self.xmax - xid for xid in self.running))))

    @property
    def xmin(self) -> int:
        """The oldest transaction that this does not see.

        It is never smaller in a later snapshot.
        """
        return self.running[0] if self.running else self.xmax

    def sees_all_of(self, other: Snapshot) -> bool:
        """Return True if this snapshot sees every transaction that `other` sees."""
        unseen = frozenset(other.running)
        return self.xmax >= other.xmax and all(
            xid in unseen or xid >= other.xmax for xid in self.running
        )

    def short(self) -> Snapshot:
        """Return a snapshot that fits a cursor; if too many transactions ran, it sees less."""
        short = self
        while len(short.offset) > LONGEST_OFFSET:
            short = Snapshot(short.running[-1], short.running[:-1])
        return short

    def up_to(self, xid: int, now: Snapshot) -> Snapshot:
        """Return the position of a reader at this snapshot after it read on up to `xid`.

        It has then seen, in addition, all transactions up to `xid` that `now` sees.
        """
        running = set(now.running)
        if xid >= self.xmax:
            return Snapshot(xid + 1, tuple(each for each in now.running if each <= xid))
        return Snapshot(
            self.xmax, tuple(each for each in self.running if each > xid or each in running)
        )
