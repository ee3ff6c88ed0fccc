"""Limits: each has a setting and a close code, is counted, and affects no neighbour."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import override_settings

from realtime import Message
from realtime.protocol import CloseCode
from realtime.server import server_of
from realtime.telemetry import counters
from tests.realtime.live_client import PATIENCE, LiveClient, connected
from tests.realtime.websocket.telling import SENTINEL, subscribe, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture
async def grace() -> User:
    return await User.objects.acreate_user("grace")


@pytest_asyncio.fixture
async def neighbour(grace: User) -> AsyncIterator[LiveClient]:
    """Another client, which must still receive messages at the end of the test."""
    async with connected(grace) as found:
        await found.subscribe(SENTINEL)
        yield found
        await tell(Message(SENTINEL, reset="bulk"))
        assert SENTINEL in await found.changed()


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests closed does not count."""
    monkeypatch.setattr(counters, "closed", Counter())


def closed_with(code: CloseCode) -> int:
    return counters.closed[code]


@override_settings(REALTIME={"MAX_FRAMES_A_SECOND": 10})
async def test_too_many_frames_a_second_end_the_connection(
    neighbour: LiveClient, client: LiveClient
) -> None:
    """Two seconds' worth may come at once."""
    for _ in range(20):
        await client.send({"type": "ping"})
        await client.receive("pong")
    for _ in range(5):
        await client.send({"type": "ping"})

    while (output := await client.communicator.receive_output(PATIENCE))["type"] != (
        "websocket.close"
    ):
        assert json.loads(output["text"]) == {"type": "pong"}
    assert output["code"] == CloseCode.TOO_MANY
    assert closed_with(CloseCode.TOO_MANY) == 1


@pytest.mark.parametrize(
    ("setting", "frame", "code"),
    [
        ({"MAX_FRAME_BYTES": 50}, {"type": "ping", "pad": "x" * 50}, CloseCode.TOO_LARGE),
        ({"MAX_SUBSCRIPTIONS": 2}, subscribe("sentinel:1", "a:1", "b:1"), CloseCode.TOO_MANY),
        ({"MAX_TOPIC_LENGTH": 20}, subscribe("sentinel:" + "1" * 12), CloseCode.TOO_MANY),
        ({}, "[]", CloseCode.NOT_UNDERSTOOD),
    ],
)
async def test_a_frame_over_a_limit_ends_the_connection(
    neighbour: LiveClient,
    client: LiveClient,
    setting: dict[str, int],
    frame: Any,
    code: CloseCode,
) -> None:
    """And one that is just below does not."""
    await client.send({"type": "ping"})
    await client.receive("pong")
    with override_settings(REALTIME=setting):
        await client.send(frame)
        if code is CloseCode.NOT_UNDERSTOOD:
            await client.receive("error")
        assert await client.closed() == code

    assert closed_with(code) == 1


@override_settings(REALTIME={"MAX_TOPIC_LENGTH": 20})
async def test_a_topic_as_long_as_may_be_is_watched(client: LiveClient) -> None:
    """The bound is the longest valid length."""
    topic = "sentinel:" + "1" * 11

    assert topic in await client.subscribe(topic)


@override_settings(REALTIME={"MAX_CONNECTIONS_A_USER": 2})
async def test_too_many_connections_of_a_user_are_not_let_in(
    neighbour: LiveClient, ada: User
) -> None:
    """Only hers count; a closed one makes room."""
    async with connected(ada) as first:
        async with connected(ada) as second, connected(ada, welcome=False) as third:
            assert await third.closed() == CloseCode.TOO_MANY
            assert await first.nothing_waits()
            assert await second.nothing_waits()
        async with connected(ada) as fourth:
            assert await fourth.nothing_waits()
    assert closed_with(CloseCode.TOO_MANY) == 1


@override_settings(REALTIME={"MAX_CONNECTIONS": 2})
async def test_a_full_process_refuses_clients(neighbour: LiveClient, ada: User) -> None:
    """The client retries after a while; a closed connection makes room."""
    async with connected(ada) as first, connected(ada, welcome=False) as second:
        assert await second.closed() == CloseCode.FULL
        assert await first.nothing_waits()
    async with connected(ada) as third:
        assert await third.nothing_waits()
    assert closed_with(CloseCode.FULL) == 1
    assert server_of().connections._taken == 1


@override_settings(REALTIME={"HEARTBEAT": 0.1, "SILENCE": 1})
async def test_a_silent_client_is_counted_and_closed(ada: User) -> None:
    """One that answers stays."""
    async with connected(ada) as silent, connected(ada) as good:

        async def answer() -> None:
            while True:
                frame = await good.receive("ping")
                await good.send({"type": "pong", "seq": frame["seq"]})

        answering = asyncio.create_task(answer())
        while (output := await silent.communicator.receive_output(PATIENCE))["type"] != (
            "websocket.close"
        ):
            pass
        assert output["code"] == CloseCode.SILENT
        assert not answering.done()
        answering.cancel()
    assert closed_with(CloseCode.SILENT) == 1


async def hang(scope: dict[str, Any]) -> None:
    await asyncio.Event().wait()


async def fail(scope: dict[str, Any]) -> None:
    raise RuntimeError("no directory today")


@override_settings(REALTIME={"HANDSHAKE_TIMEOUT": 0.1, "AUTHENTICATE": f"{__name__}.hang"})
async def test_a_handshake_that_takes_too_long_ends(ada: User) -> None:
    """The authentication may hang; nothing of it stays behind."""
    async with connected(ada, welcome=False) as client:
        assert await client.closed() == CloseCode.SILENT
    assert closed_with(CloseCode.SILENT) == 1
    assert server_of().connections._taken == 0


@override_settings(REALTIME={"AUTHENTICATE": f"{__name__}.fail"})
async def test_a_handshake_that_fails_ends_so_that_the_client_comes_back(
    ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not closed as anonymous: its user could not be identified."""
    async with connected(ada, welcome=False) as client:
        assert await client.closed() == 1011
    assert "no directory today" in caplog.text
    assert server_of().connections._taken == 0
