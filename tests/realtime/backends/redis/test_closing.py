"""An upstream can be closed at any moment, and then ends."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from realtime.backends.redis import RedisPubSub
from realtime.exceptions import UpstreamLost
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = pytest.mark.sqlite

TOPIC = Topic("list:5")
PATIENCE = 30.0
TIMES = 300


async def test_whenever_it_is_closed_its_tasks_end() -> None:
    """If a library swallowed a cancellation, a task would go on for ever."""
    chance = Random("closing")
    with RedisServer() as server:
        pubsub = RedisPubSub(server.url)
        before = asyncio.all_tasks()
        for _ in range(TIMES):
            upstream = pubsub.connect()
            watching = asyncio.create_task(upstream.watch([TOPIC]))
            await asyncio.sleep(chance.uniform(0, 0.006))

            await asyncio.wait_for(upstream.close(), PATIENCE)

            (left,) = await asyncio.gather(watching, return_exceptions=True)
            assert not isinstance(left, BaseException) or isinstance(left, UpstreamLost)
        assert asyncio.all_tasks() == before
