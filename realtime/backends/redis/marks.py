"""Positions: where each of the servers stood.

A cursor of this backend is text: for each server that it is good for a part of its replication id,
its count of commands, and its clock. What came before a position came before it by both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from realtime.cursors import Cursor

EPOCH = "redis1"
SERVER = 10
"""Hexadecimal digits of a replication id that are kept: with 40 bits no two servers meet."""

_MARK = re.compile(rf"([0-9a-f]{{{SERVER}}})-([0-9a-f]{{1,13}})-([0-9a-f]{{1,13}})")


class Mark(NamedTuple):
    """A position on one server: what happened there before has a smaller count and time.

    `commands` is the server's count of commands, `time` its clock in microseconds.
    """

    server: str
    commands: int
    time: int

    def covers(self, commands: int, time: int) -> bool:
        """Did what happened then come before this, without a doubt?"""
        return commands < self.commands and time < self.time

    def is_behind(self, other: Mark) -> bool:
        """Is this the same position as the other, or a later one, on the same server?"""
        return (
            self.server == other.server
            and self.commands >= other.commands
            and self.time >= other.time
        )


Marks = Mapping[str, Mark]
"""Positions by server."""


def cursor_of(marks: Iterable[Mark]) -> Cursor:
    """Return the cursor that stands for these positions; there is one at least."""
    return Cursor(EPOCH, "_".join(f"{m.server}-{m.commands:x}-{m.time:x}" for m in marks))


def marks_of(cursor: Cursor) -> Marks | None:
    """Return the positions that a cursor holds; None for what is no cursor of this backend."""
    if cursor.epoch != EPOCH:
        return None
    found = {}
    for part in cursor.offset.split("_"):
        match = _MARK.fullmatch(part)
        if match is None:
            return None
        server, commands, time = match.groups()
        found[server] = Mark(server, int(commands, 16), int(time, 16))
    return found
