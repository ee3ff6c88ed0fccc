"""The end of a socket: no frame after it, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from django.contrib.auth.models import User

from realtime import Message
from realtime.access.signals import CONCERNED
from realtime.server import server_of
from tests.realtime.live_client import PATIENCE, LiveClient, communicator, connected, cookie_of
from tests.realtime.websocket.telling import SENTINEL, subscribe, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_disconnecting_leaves_nothing_in_the_hub(ada: User, topic: str) -> None:
    """A server runs for months; each socket's rest would add up."""
    async with connected(ada) as client:
        await client.subscribe(topic, SENTINEL)
        assert server_of().hub._subscribers.topics()

    assert not server_of().hub._subscribers.wanted()
    assert server_of().hub._upstream._watched == {CONCERNED}


async def test_disconnecting_while_subscribing_leaves_nothing(ada: User, topic: str) -> None:
    """The server cancels the application while it handles a frame."""
    hub = server_of().hub
    for _ in range(10):
        socket = communicator(cookie=await cookie_of(ada))
        await socket.connect(PATIENCE)
        await socket.send_to(text_data=json.dumps(subscribe(topic, SENTINEL)))
        await asyncio.sleep(0)

        socket.future.cancel()
        await asyncio.gather(socket.future, return_exceptions=True)

        assert not hub._subscribers.wanted()


async def test_no_frame_is_sent_after_the_end(ada: User, topic: str) -> None:
    """Servers raise for a frame after the close."""
    async with connected(ada) as ended, connected(ada) as witness:
        await ended.subscribe(topic)
        await witness.subscribe(topic)
        await ended.send("{")
        await ended.receive("error")
        await ended.closed()

        for frame in ("{", b"x", {"type": "ping"}, subscribe(SENTINEL)):
            await ended.send(frame)
        await tell(Message(topic, reset="bulk"))

        await witness.changed()
        assert await witness.nothing_waits()
        assert ended.communicator.output_queue.empty()


async def test_a_writer_that_fails_closes_the_socket(
    client: LiveClient,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client reconnects with its cursor: late, but never silently stale."""
    await client.subscribe(topic)

    def fail(*_: object) -> None:
        raise RuntimeError("out of ink")

    monkeypatch.setattr("realtime.connections.writer.text_of", fail)
    with caplog.at_level(logging.CRITICAL, "realtime.websocket"):
        await tell(Message(topic, reset="bulk"))

        await client.closed()


async def test_a_writer_whose_client_is_gone_is_quiet(
    client: LiveClient,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some servers raise OSError for it; it is not an error of this process."""
    await client.subscribe(topic)
    gone = asyncio.Event()

    def refuse(*_: object) -> None:
        gone.set()
        raise ConnectionResetError

    monkeypatch.setattr("realtime.connections.writer.text_of", refuse)
    await tell(Message(topic, reset="bulk"))

    await asyncio.wait_for(gone.wait(), PATIENCE)
    assert not caplog.records
