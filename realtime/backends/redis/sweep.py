"""Asking a server for its position, and for the newest numbers of its watched topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from redis.exceptions import ResponseError

from realtime.backends.redis.codec import read_now
from realtime.backends.redis.commands import CommandConnection
from realtime.backends.redis.keys import Names, by_partition
from realtime.backends.redis.listener import ListenerBroken
from realtime.backends.redis.positions import ServerPosition
from realtime.backends.redis.scripts import NOW
from realtime.backends.redis.topic_state import TopicState
from realtime.messages.topics import Topic


async def now(connection: CommandConnection) -> ServerPosition:
    """Ask a server for its position; raise NotPrimary if it is a replica."""
    (reply,) = await connection.ask([NOW.call(())])
    return read_now(reply)


class PartitionSweep:
    """Checks the partitions of a server at intervals. Owner: the event loop of its node."""

    def __init__(self, names: Names, on_trouble: Callable[[], None]) -> None:
        self._names = names
        self._on_trouble = on_trouble
        self._seen: dict[int, bytes] = {}
        """The number of each partition's newest message at the last check."""

    def forget(self) -> None:
        """Forget the last check: the connection is a new one."""
        self._seen.clear()

    async def newest(
        self, connection: CommandConnection, position: ServerPosition, watched: Iterable[TopicState]
    ) -> dict[Topic, int]:
        """Return the numbers of live topics' newest messages, in partitions with new messages."""
        live = by_partition(each.topic for each in watched if each.is_live)
        moved = await self._moved(connection, position, list(live))
        commands = [("ZMSCORE", self._names.index(number), *live[number]) for number in moved]
        newest = {}
        for number, scores in zip(
            moved, await connection.ask(commands, may_fail=True), strict=True
        ):
            if isinstance(scores, ResponseError):
                self._seen.pop(number, None)
                continue
            for topic, score in zip(live[number], scores, strict=True):
                newest[topic] = int(float(score)) if score is not None else 0
        return newest

    async def _moved(
        self, connection: CommandConnection, position: ServerPosition, numbers: list[int]
    ) -> list[int]:
        asked = [("HMGET", self._names.meta(number), "server", "last") for number in numbers]
        moved = []
        for number, reply in zip(numbers, await connection.ask(asked, may_fail=True), strict=True):
            if isinstance(reply, ResponseError):
                self._on_trouble()  # its slot moves
                continue
            server, last = reply
            if server is None or not server.startswith(position.server.encode()):
                raise ListenerBroken("a partition's state was lost")
            if self._seen.get(number) != last:
                moved.append(number)
                self._seen[number] = last
        return moved
