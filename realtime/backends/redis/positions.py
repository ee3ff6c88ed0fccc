"""Positions on each of the servers.

A cursor of this backend is text. It holds, for each of its servers, a part of the server's
replication id, its count of commands, and its clock. A message came before a position if both its
count and its time are smaller.

A cursor that was taken for any topic holds all servers. A cursor for the subscribers of some topics
also holds, for each server, the partitions that it is valid for: a topic may have moved to a server
that other topics are received from already, and whose position is not valid for it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from realtime.backends.redis.keys import partition_of
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic

EPOCH = "redis1"
SERVER = 10
"""Hexadecimal digits of a replication id that are kept: 40 bits suffice to tell servers apart."""

_MARK = re.compile(
    rf"(?:((?:[0-9a-f]{{2}})+)~)?([0-9a-f]{{{SERVER}}})-([0-9a-f]{{1,13}})-([0-9a-f]{{1,13}})"
)


class ServerPosition(NamedTuple):
    """A position on one server: earlier messages there have a smaller count and a smaller time.

    `commands` is the server's count of commands, `time` its clock in microseconds.
    """

    server: str
    commands: int
    time: int

    def covers(self, commands: int, time: int) -> bool:
        """Return True if a message with this count and time certainly came before the position."""
        return commands < self.commands and time < self.time

    def or_before(self, other: ServerPosition) -> ServerPosition:
        """Return the smaller count and the smaller time of both, on the same server."""
        return ServerPosition(
            self.server, min(self.commands, other.commands), min(self.time, other.time)
        )

    def is_behind(self, other: ServerPosition) -> bool:
        """Return True if this is the same position as the other or a later one, on one server."""
        return (
            self.server == other.server
            and self.commands >= other.commands
            and self.time >= other.time
        )


class ServerPositions(NamedTuple):
    """Positions, each with its valid partitions; None stands for all that its server has."""

    stands: tuple[tuple[frozenset[int] | None, ServerPosition], ...]

    def of(self, topic: Topic) -> Mapping[str, ServerPosition]:
        """Return the positions that are valid for a topic, or a family, by server."""
        partition = partition_of(topic)
        return {
            position.server: position
            for partitions, position in self.stands
            if partitions is None or partition in partitions
        }


def cursor_of(positions: Iterable[ServerPosition]) -> Cursor:
    """Return the cursor that holds these positions, at least one."""
    return Cursor(EPOCH, "_".join(map(_text, positions)))


def cursor_for(stands: Mapping[Topic, ServerPosition | None]) -> Cursor:
    """Return the cursor of topics and families with these positions; NOWHERE if none has one.

    The oldest position counts for those that share a partition.
    """
    oldest: dict[tuple[int, str], ServerPosition] = {}
    for topic, position in stands.items():
        if position is not None:
            place = partition_of(topic), position.server
            oldest[place] = oldest.get(place, position).or_before(position)
    partitions: defaultdict[ServerPosition, list[int]] = defaultdict(list)
    for (partition, _), position in sorted(oldest.items()):
        partitions[position].append(partition)
    parts = [f"{bytes(some).hex()}~{_text(position)}" for position, some in partitions.items()]
    return Cursor(EPOCH, "_".join(parts)) if parts else NOWHERE


def positions_of(cursor: Cursor) -> ServerPositions | None:
    """Return the positions in a cursor; None if it is not a cursor of this backend."""
    if cursor.epoch != EPOCH:
        return None
    stands = []
    for part in cursor.offset.split("_"):
        match = _MARK.fullmatch(part)
        if match is None:
            return None
        some, server, commands, time = match.groups()
        partitions = frozenset(bytes.fromhex(some)) if some else None
        stands.append((partitions, ServerPosition(server, int(commands, 16), int(time, 16))))
    return ServerPositions(tuple(stands))


def _text(position: ServerPosition) -> str:
    return f"{position.server}-{position.commands:x}-{position.time:x}"
