"""Positions of a server without any message yet: the first pages need no reset."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from realtime.backends.redis import RedisPubSub
from realtime.backends.redis.positions import ServerPosition
from realtime.backends.redis.topology import Address
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = pytest.mark.sqlite

TOPIC = Topic("list:5")
PATIENCE = 30.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


async def replayed(pubsub: RedisPubSub, position: Cursor) -> Sequence[Message]:
    """Return the messages that the holder of a position has missed; or raise CannotReplay."""
    upstream = pubsub.connect()
    try:
        await upstream.watch([TOPIC, TOPIC.family])
        return await upstream.replay([TOPIC, TOPIC.family], position)
    finally:
        await upstream.close()


class DelayedPubSub(RedisPubSub):
    """Delays the first answer to `held` until `go_on` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.held: threading.Thread | None = None
        self.holds, self.go_on = threading.Event(), threading.Event()

    def _now(self, address: Address) -> ServerPosition:
        position = super()._now(address)
        if threading.current_thread() is self.held and not self.holds.is_set():
            self.holds.set()
            assert self.go_on.wait(PATIENCE)
        return position


async def test_the_first_position_is_valid(server: RedisServer) -> None:
    """The partitions' states are made before it is taken."""
    pubsub = RedisPubSub(server.url)

    assert await replayed(pubsub, pubsub.ask_position()) == []


async def test_concurrent_first_positions_are_valid(
    server: RedisServer,
) -> None:
    """A thread that has asked does not use a state that another made meanwhile."""
    pubsub = DelayedPubSub(server.url)
    found: list[Cursor] = []
    slow = pubsub.held = threading.Thread(target=lambda: found.append(pubsub.ask_position()))
    slow.start()
    assert pubsub.holds.wait(PATIENCE)

    pubsub.ask_position()
    pubsub.go_on.set()
    slow.join(PATIENCE)

    assert await replayed(pubsub, found[0]) == []
