"""What a PostgreSQL snapshot sees, as a position: transactions are counted, not records.

A snapshot sees every transaction below `xmax` but those that were still running. A record that
holds its writer's transaction id was seen if its transaction was; so whatever commits later, also
in a transaction that had begun long before, is told from what was there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

LONGEST_OFFSET = 400
"""How long a cursor's offset may be."""

DIGITS = 18
"""The longest number that surely fits an id's column; a longer one is nobody's cursor."""


def whole_number(text: str) -> int | None:
    """Read a number in its one spelling, so that nobody can ask one question in many ways."""
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
        """Read what `pg_current_snapshot()` says within the transaction `own`, if that has an id.

        PostgreSQL does not count a transaction among those that run beside it. Yet what it is
        about to write has been seen by nobody.
        """
        _, xmax, running = text.split(":")
        found = {int(xid) for xid in running.split(",") if xid}
        if own is not None and own < int(xmax):
            found.add(own)
        return cls(int(xmax), tuple(sorted(found)))

    @classmethod
    def parse(cls, offset: str) -> Self | None:
        """Read a cursor's offset; None for what `offset` below cannot have written."""
        numbers = [whole_number(part) for part in offset.split("~")]
        xmax, *distances = (-1 if number is None else number for number in numbers)
        if min(xmax, *distances, 1) < 1 or max(distances, default=0) > xmax:
            return None
        if distances != sorted(set(distances), reverse=True):
            return None
        return cls(xmax, tuple(xmax - distance for distance in distances))

    @property
    def offset(self) -> str:
        """As a cursor's offset: `xmax`, then how far below it those that ran are."""
        return "~".join(map(str, (self.xmax, *(self.xmax - xid for xid in self.running))))

    @property
    def xmin(self) -> int:
        """The oldest transaction that is not seen. It never falls from one snapshot to a later."""
        return self.running[0] if self.running else self.xmax

    def sees_all_of(self, other: Snapshot) -> bool:
        """Does this see every transaction that the other sees?"""
        unseen = frozenset(other.running)
        return self.xmax >= other.xmax and all(
            xid in unseen or xid >= other.xmax for xid in self.running
        )

    def short(self) -> Snapshot:
        """Return one that fits a cursor: where too many ran, it sees less, and never more."""
        short = self
        while len(short.offset) > LONGEST_OFFSET:
            short = Snapshot(short.running[-1], short.running[:-1])
        return short

    def up_to(self, xid: int, now: Snapshot) -> Snapshot:
        """Return what is seen by one who saw this, and then all that `now` sees up to `xid`."""
        running = set(now.running)
        if xid >= self.xmax:
            return Snapshot(xid + 1, tuple(each for each in now.running if each <= xid))
        return Snapshot(
            self.xmax, tuple(each for each in self.running if each > xid or each in running)
        )
