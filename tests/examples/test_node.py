"""The example in Node sends messages to this project, and receives its messages."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from realtime.backends.redis import RedisPubSub
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = [pytest.mark.long, pytest.mark.sqlite, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
TOPIC = Topic("list:5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository's part that the example needs, with what npm installs."""
    copy = tmp_path_factory.mktemp("node")
    for part in ("examples/node", "realtime/backends/redis/lua"):
        shutil.copytree(ROOT / part, copy / part)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    subprocess.run(command, cwd=copy / "examples/node", check=True, capture_output=True)
    return copy / "examples/node"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def environment(server: RedisServer) -> dict[str, str]:
    return os.environ | {"REDIS_URL": server.url}


async def test_a_message_that_node_publishes_is_received(server: RedisServer, folder: Path) -> None:
    """By the subscribers of its topic."""
    upstream = RedisPubSub(server.url).connect()
    try:
        await upstream.watch([TOPIC])
        node = await asyncio.create_subprocess_exec(
            "node", "live.mjs", "publish", TOPIC, '{"todo.task": {"17": "updated"}}',
            cwd=folder, env=environment(server), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(node.communicate(), 30)
        assert out.strip().isdigit()

        (message,) = await asyncio.wait_for(upstream.receive(), 30)
    finally:
        await upstream.close()

    assert (message.topic, message.changes) == (TOPIC, {"todo.task": {"17": "updated"}})


async def test_node_receives_a_published_message(server: RedisServer, folder: Path) -> None:
    """As JSON with the same content."""
    node = await asyncio.create_subprocess_exec(
        "node", "live.mjs", "listen", TOPIC,
        cwd=folder, env=environment(server), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert node.stdout is not None
    try:
        assert await asyncio.wait_for(node.stdout.readline(), 30) == b"listening\n"
        sent = [Message(TOPIC, {"todo.task": {"17": "left"}})]
        await sync_to_async(RedisPubSub(server.url).send)(sent)

        heard = await asyncio.wait_for(node.stdout.readline(), 30)
    finally:
        node.kill()
        await node.communicate()

    assert heard == b'{"topic":"list:5","changes":{"todo.task":{"17":"left"}}}\n'
