"""Floods, clients that read nothing, and connections that end at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from django.test import override_settings

from realtime import Message
from realtime.access import allow
from realtime.access.signals import CONCERNED
from realtime.backends import get_pubsub
from realtime.protocol import CloseCode
from realtime.server import close_server, server_of
from realtime.telemetry import counters
from tests.realtime.hostile.direct import NOTHING, SETTINGS, Direct, left_behind, wanted
from tests.realtime.live_client import PATIENCE

NEAR = "near:1"
ROW = {"a.b": {"1": "updated"}}


@pytest.fixture(autouse=True)
def rules(no_rules: None, no_linger: None) -> None:
    """Some sync, some async, some that depend."""

    async def slowly(user: object, key: str) -> bool:
        await asyncio.sleep(0)
        return True

    allow("near")(lambda user, key: True)
    allow("list", depends=lambda user, key: [f"members:{key}"])(slowly)


@pytest_asyncio.fixture
async def neighbour(request: pytest.FixtureRequest) -> AsyncIterator[Direct]:
    """A client that must receive its messages throughout; the others must leave nothing behind."""
    with override_settings(REALTIME=SETTINGS | getattr(request, "param", {})):
        found = Direct("neighbour", is_good=True)
        found.says(wanted(NEAR))
        await found.until("subscribed")
        yield found
        say(Message(NEAR, ROW))
        await found.until("changed")
        await found.leave()
        assert left_behind() == NOTHING
        await asyncio.wait_for(close_server(), PATIENCE)


def say(*messages: Message) -> None:
    get_pubsub().send_now(messages)


def serving() -> int:
    """Return how many tasks serve sockets."""
    return sum("realtime" in repr(t) and "hub.py" not in repr(t) for t in asyncio.all_tasks())


async def test_a_flood_of_frames_ends_itself(neighbour: Direct) -> None:
    """The neighbour receives its messages meanwhile."""
    flood = Direct()
    flood.says(*[{"type": "ping"}] * 1000)
    say(Message(NEAR, ROW))

    await neighbour.until("changed")
    assert (await flood.until("websocket.close"))["code"] == 4429
    await flood.leave()


async def test_a_flood_of_subscriptions_is_bounded(neighbour: Direct) -> None:
    """The frame that exceeds the bound ends the connection, and with it all subscriptions."""
    flood = Direct()
    for start in range(0, 1200, 300):
        flood.says(wanted(*(f"list:{key}" for key in range(start, start + 300))))

    assert (await flood.until("websocket.close"))["code"] == 4429
    await flood.leave()


async def test_a_flood_of_connections_is_bounded(neighbour: Direct) -> None:
    """Of one user; others can still connect."""
    flood = [Direct() for _ in range(150)]
    first = [await each.until("welcome", "websocket.close") for each in flood]

    assert sum(frame["type"] == "welcome" for frame in first) == 100
    grace = Direct("grace")
    assert (await grace.until("welcome"))["protocol"] == 1
    await asyncio.gather(*(each.leave() for each in (*flood, grace)))


async def test_a_client_that_disconnects_at_once_leaves_nothing(neighbour: Direct) -> None:
    """However often, and before any answer."""
    for _ in range(50):
        await asyncio.gather(*(Direct().leave() for _ in range(4)))


@pytest.mark.parametrize("neighbour", [{"HEARTBEAT": 0.1, "SILENCE": 1}], indirect=True)
async def test_a_client_that_reads_nothing_is_bounded_and_closed(
    neighbour: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames wait, its messages are merged, and its socket is closed in the end."""
    monkeypatch.setattr("realtime.transports.websocket.CLOSE_TIMEOUT", 0.1)
    stuck = Direct()
    stuck.says(wanted("list:1"))
    await stuck.until("subscribed")
    stuck.read.clear()
    stuck.says(*[{"type": "ping"}] * 60)
    connection = stuck.socket._connection
    assert connection is not None
    for _ in range(200):
        say(Message("list:1", ROW))
        await asyncio.sleep(0)

    assert len(connection.mailbox) <= 1
    assert stuck.socket._writer.waiting <= 3  # type: ignore[union-attr]
    await asyncio.wait_for(asyncio.wait([stuck.serving]), PATIENCE)


@pytest.mark.parametrize("neighbour", [{"HEARTBEAT": 0.02, "SILENCE": 60}], indirect=True)
async def test_a_client_that_never_answers_pings_is_bounded(
    neighbour: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it sends frames, and so is not silent."""
    monkeypatch.setattr("realtime.connections.writer.MOST_PINGS", 5)
    odd = Direct()
    for _ in range(20):
        await odd.until("ping")

    assert len(odd.socket._writer._pings) == 5  # type: ignore[union-attr]
    await odd.leave()


async def test_frames_that_shut_the_window_are_asked_about_at_once(neighbour: Direct) -> None:
    """Otherwise a client with very many topics would get nothing until the next heartbeat."""
    with override_settings(REALTIME=SETTINGS | {"SEND_WINDOW": 2_000, "HEARTBEAT": 60}):
        client = Direct(is_good=True)
        client.says(wanted(*(f"list:{key}" for key in range(100))))
        await client.until("subscribed")
        say(Message("list:7", ROW))

        await client.until("changed")
        await client.leave()


@pytest.mark.parametrize("steps", range(0, 60, 2))
async def test_an_end_in_the_midst_of_anything_leaves_nothing(
    neighbour: Direct, steps: int
) -> None:
    """After any number of steps the server's task is cancelled, or the client is gone."""
    tasks = serving()
    cancelled, gone = Direct(), Direct()
    for each in (cancelled, gone):
        each.says(wanted("list:1", "list:2"), wanted("near:2"), {"type": "ping"})
    for step in range(steps):
        if step == steps // 2:
            say(Message("members:1", ROW), Message("list:1", ROW), Message("near:2", ROW))
        await asyncio.sleep(0 if steps % 4 else 0.001)

    cancelled.serving.cancel()
    await asyncio.gather(cancelled.serving, return_exceptions=True)
    await gone.leave()

    assert left_behind() == {"topics": {NEAR}, "connections": 1, "places": 1, "beats": 1}
    assert serving() == tasks


async def test_a_user_revoked_during_admission_is_closed(
    neighbour: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's revocation reaches a connection that is just being admitted."""
    looked = 0

    async def look(scope: dict[str, Any]) -> Any:
        nonlocal looked
        looked += 1
        if looked == 1:
            found = await identify(scope)
            server_of().revocation.observe(Message(CONCERNED, {"user": {"eve": "updated"}}))
            return found
        return await identify({"headers": []})

    from realtime.access.identity import identify

    monkeypatch.setattr(server_of().identity_loader, "identify", look)
    monkeypatch.setattr("realtime.access.identity.identify", look)
    eve = Direct()

    assert (await eve.until("websocket.close"))["code"] == 4401
    await eve.leave()
    assert counters.closed[CloseCode.NOT_AUTHENTICATED]
