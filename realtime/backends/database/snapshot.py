"""A PostgreSQL snapshot as a position: it counts transactions, not records.

A snapshot sees every transaction below `xmax`, except those that were still running. A record holds
its writer's transaction id, and was seen if that transaction was. So every later commit, also of a
transaction that had begun long before, is behind the position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

LONGEST_OFFSET = 400
"""Characters of a cursor's offset at most."""

DIGITS = 18
"""Digits that surely fit an id's column; a cursor of this backend has no longer number."""


def whole_number(text: str) -> int | None:
    """Read a number in its only spelling, so that one position has one text."""
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
        """Read the result of `pg_current_snapshot()` in the transaction `own`, if that has an id.

        PostgreSQL does not list a transaction among those that it runs beside. But no reader has
        seen the records that it is about to write.
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
        """This as a cursor's offset: `xmax`, then the distance of each running one below it."""
        return "~".join(map(str, (self.xmax, *(self.xmax - xid for xid in self.running))))

    @property
    def xmin(self) -> int:
        """The oldest transaction that is not seen.

        It never falls from one snapshot to a later one.
        """
        return self.running[0] if self.running else self.xmax

    def sees_all_of(self, other: Snapshot) -> bool:
        """Return True if this sees every transaction that `other` sees."""
        unseen = frozenset(other.running)
        return self.xmax >= other.xmax and all(
            xid in unseen or xid >= other.xmax for xid in self.running
        )

    def short(self) -> Snapshot:
        """Return a snapshot that fits a cursor: if too many ran, it sees less, and never more."""
        short = self
        while len(short.offset) > LONGEST_OFFSET:
            short = Snapshot(short.running[-1], short.running[:-1])
        return short

    def up_to(self, xid: int, now: Snapshot) -> Snapshot:
        """Return what a reader has seen who saw this, and then all that `now` sees up to `xid`."""
        running = set(now.running)
        if xid >= self.xmax:
            return Snapshot(xid + 1, tuple(each for each in now.running if each <= xid))
        return Snapshot(
            self.xmax, tuple(each for each in self.running if each > xid or each in running)
        )
