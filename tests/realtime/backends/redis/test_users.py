"""A Redis user with only the rights that the guide names can do all that is needed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from realtime.backends.redis import RedisPubSub
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = pytest.mark.sqlite

GUIDE = Path(__file__).resolve().parents[4] / "docs/how-to/run-on-redis.md"
TOPIC = Topic("list:5")
PATIENCE = 30.0


def rights() -> list[str]:
    """Return the keys, channels and commands that the guide allows."""
    text = GUIDE.read_text()
    patterns = re.findall(r"`([~&]realtime[^`]*)`", text)
    commands = re.findall(r"(?m)^    (\+.*)$", text)
    assert len(patterns) == 2
    assert commands
    return [*patterns, *" ".join(commands).split()]


async def test_the_rights_named_are_enough() -> None:
    """To send, to take positions, to listen, to sweep, and to replay."""
    with RedisServer() as server:
        server.ask("ACL SETUSER", "web", "on", ">secret", *rights())
        pubsub = RedisPubSub(server.url.replace("redis://", "redis://web:secret@"))
        send = sync_to_async(pubsub.send)
        problems = await sync_to_async(pubsub.check)()
        since = await sync_to_async(pubsub.ask_position)()
        upstream = pubsub.connect()
        try:
            async with asyncio.timeout(PATIENCE):
                await upstream.watch([TOPIC, TOPIC.family])
                await send([Message(TOPIC, reset="bulk")])
                (message,) = await upstream.receive()
                (missed,) = await upstream.replay([TOPIC, TOPIC.family], since)
                await upstream.unwatch([TOPIC])
                node = next(iter(upstream._nodes.values()))
                facts = await sync_to_async(pubsub.facts)()
                await node._partition_sweep.newest(
                    node._command_connection, node._position, node._topics.values()
                )
        finally:
            await upstream.close()
        denied = [each["object"] for each in server.ask("ACL LOG")]

    assert [message.reset, missed.reset] == ["bulk", "bulk"]
    assert [each["messages"] for each in facts["servers"].values()] == [1]  # type: ignore[attr-defined]
    assert [problem.id for problem in problems if problem.id == "realtime.W005"] == []
    assert set(denied) <= {"client|setinfo"}
