"""One server an event loop: found, closed, forgotten with its loop, and not handed to a child."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest

from realtime import server as servers
from realtime.messages.message import Message
from realtime.server import Server, all_servers, close_server, known_server, server_of
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import LIST, mailbox, row, until

PATIENCE = 30


async def begun() -> Server:
    """Return this loop's server, which listens."""
    server = server_of(make=FakePubSub)
    server.hub.start()
    await until(lambda: server.hub.is_connected)
    return server


def in_another_thread(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine in a thread with an event loop of its own."""
    thread = threading.Thread(target=asyncio.run, args=[work])
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_a_loop_has_one_server_until_it_is_closed() -> None:
    """A server process has one loop, so one server."""
    assert known_server() is None
    first = server_of(make=FakePubSub)
    assert server_of(make=FakePubSub) is known_server() is first
    assert server_of(asyncio.get_running_loop()) is first

    await close_server()

    assert known_server() is None
    assert server_of(make=FakePubSub) is not first
    await close_server()
    await close_server()


async def test_another_loop_has_a_server_of_its_own() -> None:
    """They share no connections, and closing one leaves the other."""
    mine, others = await begun(), []

    async def serve() -> None:
        others.append(await begun())
        assert set(all_servers()) == {mine, *others}
        await close_server()

    await asyncio.to_thread(in_another_thread, serve())

    (other,) = others
    assert other is not mine
    assert other.connections is not mine.connections
    assert all_servers() == [mine]
    box = mailbox()
    await asyncio.wait_for(mine.hub.subscribe(box, LIST), PATIENCE)
    mine.hub._pubsub.current.say(row(LIST, 1))  # type: ignore[attr-defined]
    (message,) = await asyncio.wait_for(box.take(), PATIENCE)
    assert message.changes == row(LIST, 1).changes
    await close_server()


def test_a_loop_that_ended_is_forgotten_with_its_server() -> None:
    """Though its server was not closed: programs run one loop after another."""

    async def serve() -> weakref.ref[asyncio.AbstractEventLoop]:
        await begun()
        return weakref.ref(asyncio.get_running_loop())

    ended = asyncio.run(serve())
    asyncio.run(serve())
    assert len(all_servers()) == 1

    gc.collect()
    assert ended() is None
    servers._forget_closed_loops()


async def test_a_backend_that_cannot_be_made_leaves_no_server() -> None:
    """The next call tries again."""
    with pytest.raises(ZeroDivisionError):
        server_of(make=lambda: 1 // 0)  # type: ignore[arg-type,return-value]

    assert known_server() is None


async def test_closing_a_server_ends_its_tasks() -> None:
    """Draining and listening; twice is once."""
    before = asyncio.all_tasks()
    server = await begun()
    server.drain.begin(100)

    await close_server()
    await server.close()

    await until(lambda: asyncio.all_tasks() == before)


async def test_each_server_observes_changes_of_access() -> None:
    """By an observer of its own, which is not registered."""
    server = await begun()
    assert server.hub._pubsub.current.watched == set(server.revocation.topics())  # type: ignore[attr-defined]

    (topic,) = server.revocation.topics()
    server.hub._pubsub.current.say(Message(topic, {"session": {"mark": "left"}}))  # type: ignore[attr-defined]

    await until(lambda: server.revocation.has_ended("mark", 0.0))
    await close_server()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_forked_child_has_no_server() -> None:
    """It makes its own. It never frees its parent's, which would send on the parent's sockets."""
    await begun()
    reading, writing = os.pipe()

    if not (child := os.fork()):
        try:
            kept = len(servers._inherited)
            asyncio.run(_write_servers(writing, kept))
        finally:
            os._exit(0)

    os.close(writing)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    with os.fdopen(reading, "rb") as told:
        assert (status, told.read()) == (0, b"0 1 1")
    assert len(all_servers()) == 1
    await close_server()


async def _write_servers(pipe: int, kept: int) -> None:
    known = len(all_servers())
    server_of(make=FakePubSub)
    os.write(pipe, b"%d %d %d" % (known, kept, len(all_servers())))
