"""Frames are handled in turn, and read meanwhile: a rule or the backend may be slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from django.contrib.auth.models import User

from realtime.access import allow
from realtime.server import server_of
from realtime.transports import frame_reader
from realtime.transports.frame_reader import MOST_WAITING
from tests.realtime.live_client import PATIENCE, LiveClient, communicator, connected, cookie_of
from tests.realtime.websocket.telling import SENTINEL, subscribe

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = "slow:1"


class Gate:
    """A rule that answers when a test lets it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.asked = asyncio.Event()

    async def answer(self, user: User, key: int) -> bool:
        self.asked.set()
        await self.opened.wait()
        return True


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    allow("slow")(gate.answer)
    yield gate
    gate.opened.set()


async def waiting(client: LiveClient, gate: Gate) -> None:
    """Let the client wait for the rule."""
    await client.send(subscribe(SLOW))
    await asyncio.wait_for(gate.asked.wait(), PATIENCE)


async def test_a_ping_is_answered_while_a_rule_is_asked(client: LiveClient, gate: Gate) -> None:
    """The client sees that the server is alive, and the server reads the client's answers."""
    await waiting(client, gate)

    await client.send({"type": "ping"})

    await client.receive("pong")
    gate.opened.set()
    await client.receive("subscribed")


async def test_frames_are_handled_in_order(client: LiveClient, gate: Gate) -> None:
    """An `unsubscribe` that overtook its `subscribe` would leave the client subscribed."""
    await waiting(client, gate)
    await client.send({"type": "unsubscribe", "topics": [SLOW]})
    await client.send(subscribe(SENTINEL))
    gate.opened.set()

    assert set((await client.receive("subscribed"))["topics"]) == {SLOW}
    assert set((await client.receive("subscribed"))["topics"]) == {SENTINEL}
    assert server_of().hub._subscribers.topics() == (SENTINEL,)


async def test_a_client_that_goes_on_asking_is_not_read_on(ada: User, gate: Gate) -> None:
    """Its frames wait on its side, not in this process's memory; all are handled at last."""
    many = 3 * MOST_WAITING
    async with connected(ada) as client, connected(ada) as neighbour:
        with counting(subscribe(SENTINEL)) as received:
            await waiting(client, gate)
            for _ in range(many):
                await client.send(subscribe(SENTINEL))
            # A neighbour is read as often as that client would be.
            for _ in range(many):
                await neighbour.send({"type": "ping"})
                await neighbour.receive("pong")
            assert len(received) == MOST_WAITING + 1

            gate.opened.set()
            for _ in range(1 + many):
                await client.receive("subscribed")


async def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(
    ada: User, gate: Gate
) -> None:
    """Neither its subscription, nor the frames behind it."""
    async with connected(ada) as client:
        await waiting(client, gate)
        await client.send(subscribe(SENTINEL))

    assert not server_of().hub._subscribers.wanted()


async def test_a_frame_that_cannot_be_handled_closes_the_connection(
    client: LiveClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client reconnects; its frame had no effect."""

    async def fail(*_: object) -> None:
        raise RuntimeError("out of hands")

    monkeypatch.setattr(server_of().hub, "subscribe", fail)
    await client.send(subscribe(SENTINEL))

    assert await client.closed() == 1011
    assert "out of hands" in caplog.text


async def test_a_client_gone_in_the_handshake_is_not_greeted(ada: User) -> None:
    """Uvicorn raises RuntimeError then, as for a programming error."""
    socket = communicator(cookie=await cookie_of(ada))
    put = socket.output_queue.put

    async def refuse(event: dict[str, object]) -> None:
        if event["type"] == "websocket.send":
            raise RuntimeError("Expected ASGI message 'websocket.accept'")
        await put(event)

    socket.output_queue.put = refuse
    await socket.connect(PATIENCE)

    await socket.disconnect(timeout=PATIENCE)
    assert socket.future.exception() is None
    assert not server_of().hub._subscribers.wanted()


@contextmanager
def counting(frame: dict[str, object]) -> Iterator[list[object]]:
    """Count how often sockets have read such a frame."""
    received: list[object] = []
    read = frame_reader.read_frame

    def note(text: str) -> object:
        if text == json.dumps(frame):
            received.append(text)
        return read(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_reader, "read_frame", note)
        yield received
