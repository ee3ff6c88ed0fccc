"""TLS, threads, forks and several event loops: each way in which processes use Redis."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from realtime.backends.redis import RedisPubSub
from realtime.exceptions import NotSent
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tools.redis_servers import RedisServer

pytestmark = pytest.mark.sqlite

TLS = Path(__file__).parent / "tls"
"""A self-signed certificate for localhost, and its key. They protect nothing."""

TOPIC = Topic("list:5")
PATIENCE = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def row(pk: int) -> Message:
    return Message(TOPIC, {"a.b": {str(pk): "updated"}})


async def received(
    pubsub: RedisPubSub, count: int, begin: Callable[[], Awaitable[None]]
) -> set[str]:
    """Watch, call `begin()`, and return the rows of the received messages."""
    upstream = pubsub.connect()
    found: set[str] = set()
    try:
        async with asyncio.timeout(PATIENCE):
            await upstream.watch([TOPIC])
            await begin()
            while len(found) < count:
                for message in await upstream.receive():
                    found |= set(message.changes["a.b"])
    finally:
        await upstream.close()
    return found


async def test_tls_is_the_urls_matter() -> None:
    """With a verified certificate, for sending and for listening."""
    files = (
        "--tls-cert-file",
        str(TLS / "certificate.pem"),
        "--tls-key-file",
        str(TLS / "key.pem"),
    )
    authority = ("--tls-ca-cert-file", str(TLS / "certificate.pem"), "--tls-auth-clients", "no")
    with RedisServer(tls=(*files, *authority)) as server:
        url = f"rediss://localhost:{server.tls_port}/0"
        pubsub = RedisPubSub(f"{url}?ssl_ca_certs={TLS / 'certificate.pem'}")

        assert await received(pubsub, 1, lambda: sync_to_async(pubsub.send)([row(1)])) == {"1"}
        with pytest.raises(NotSent, match="(?i)certificate"):
            await sync_to_async(RedisPubSub(url).send)([row(2)])


async def test_threads_may_share_it(server: RedisServer) -> None:
    """One instance a process serves all of them."""
    pubsub = RedisPubSub(server.url)

    async def begin() -> None:
        def send(number: int) -> None:
            pubsub.ask_position()
            pubsub.send([row(number)])

        threads = [threading.Thread(target=send, args=[number]) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    assert await received(pubsub, 20, begin) == {str(number) for number in range(20)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_process_has_connections_of_its_own(server: RedisServer) -> None:
    """The parent's connections go on to work in the parent."""
    pubsub = RedisPubSub(server.url)
    pubsub.ask_position()

    async def begin() -> None:
        if (child := os.fork()) == 0:
            try:
                pubsub.ask_position()
                pubsub.send([row(1)])
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        await sync_to_async(pubsub.send)([row(2)])

    assert await received(pubsub, 2, begin) == {"1", "2"}


async def test_each_event_loop_listens_for_itself(server: RedisServer) -> None:
    """Also one in another thread."""
    pubsub = RedisPubSub(server.url)
    ready, found = threading.Event(), []

    async def begin_elsewhere() -> None:
        ready.set()

    def listen() -> None:
        found.append(asyncio.run(received(pubsub, 1, begin_elsewhere)))

    async def begin() -> None:
        await asyncio.to_thread(ready.wait, PATIENCE)
        await sync_to_async(pubsub.send)([row(1)])

    other = threading.Thread(target=listen)
    other.start()
    assert await received(pubsub, 1, begin) == {"1"}
    await asyncio.to_thread(other.join, PATIENCE)
    assert found == [{"1"}]
