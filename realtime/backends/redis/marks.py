"""Positions: where each of the servers stood.

A cursor of this backend is text: for each server that it is good for a part of its replication id,
its count of commands, and its clock. What came before a position came before it by both.

One that was taken for any topic holds all servers. One that a client of a topic is given holds two
positions at most, and says which is the topic's and which its family's: either may move to the
server of the other, whose position says nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from realtime.cursors import NOWHERE, Cursor
from realtime.topics import Topic

EPOCH = "redis1"
SERVER = 10
"""Hexadecimal digits of a replication id that are kept: with 40 bits no two servers meet."""

TOPIC, FAMILY = "t~", "f~"

_MARK = re.compile(rf"(t~|f~)?([0-9a-f]{{{SERVER}}})-([0-9a-f]{{1,13}})-([0-9a-f]{{1,13}})")


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


class Marks(NamedTuple):
    """Positions by server: those that count for a topic, and those that count for its family."""

    topic: Mapping[str, Mark]
    family: Mapping[str, Mark]

    def of(self, topic: Topic) -> Mapping[str, Mark]:
        """Return those that count for a topic, or a family."""
        return self.family if topic.is_family else self.topic


def cursor_of(marks: Iterable[Mark]) -> Cursor:
    """Return the cursor that stands for these positions; there is one at least."""
    return Cursor(EPOCH, "_".join(map(_text, marks)))


def cursor_for(topic: Mark | None, family: Mark | None) -> Cursor:
    """Return the cursor of a topic and its family that stand there; one of them does at least."""
    given = ((TOPIC, topic), (FAMILY, family))
    return Cursor(EPOCH, "_".join(f"{kind}{_text(mark)}" for kind, mark in given if mark))


def oldest(marks: Iterable[Mark | None]) -> Cursor:
    """Return the cursor of what is the oldest position on each server."""
    found: dict[str, Mark] = {}
    for mark in marks:
        if mark is not None and found.setdefault(mark.server, mark).is_behind(mark):
            found[mark.server] = mark
    return cursor_of(found.values()) if found else NOWHERE


def marks_of(cursor: Cursor) -> Marks | None:
    """Return the positions that a cursor holds; None for what is no cursor of this backend."""
    if cursor.epoch != EPOCH:
        return None
    topic: dict[str, Mark] = {}
    family: dict[str, Mark] = {}
    for part in cursor.offset.split("_"):
        match = _MARK.fullmatch(part)
        if match is None:
            return None
        kind, server, commands, time = match.groups()
        mark = Mark(server, int(commands, 16), int(time, 16))
        if kind != FAMILY:
            topic[server] = mark
        if kind != TOPIC:
            family[server] = mark
    return Marks(topic, family)


def _text(mark: Mark) -> str:
    return f"{mark.server}-{mark.commands:x}-{mark.time:x}"
