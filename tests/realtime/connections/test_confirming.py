"""Access that is revoked before the subscription is confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime import Message, Topic
from realtime.access import allow
from realtime.connections.authorization import NOT_ALLOWED
from realtime.connections.connection import Connection
from realtime.connections.subscribe import subscribe
from realtime.connections.subscription import State
from realtime.hub.hub import Hub
from realtime.protocol import Denied, Subscribe, Subscribed, Wanted
from tests.realtime.access.conftest import PATIENCE, of_ada, until
from tests.realtime.fakes import FakeUpstream
from tests.realtime.transports import frames_of

ROW = {"a.b": {"1": "left"}}


@pytest_asyncio.fixture
async def ada(fake_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Her connection to a backend whose confirmations the test holds up."""
    async with of_ada(fake_hub, monkeypatch) as found:
        yield found


def frame(*topics: str) -> Subscribe:
    return Subscribe([Wanted(topic) for topic in topics])


async def upstream_of(hub: Hub) -> FakeUpstream:
    await hub._connection()
    found: FakeUpstream = hub._pubsub.current  # type: ignore[attr-defined]
    return found


def is_confirmed(connection: Connection, topic: str) -> bool:
    """Return whether the backend confirmed a topic before the client was told."""
    found = connection.subscriptions.unsettled(Topic(topic))
    return found is not None and found.state is State.PENDING and not found.tasks


class Doors:
    """A rule that says yes until the test closes it."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        for family in ("list", "slow"):
            allow(family)(self.may)

    def may(self, user: object, key: str) -> bool:
        return key not in self.closed


async def hold_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the backend confirm all families but one, until the event is set."""
    upstream, confirmed = await upstream_of(hub), asyncio.Event()
    watch = upstream.watch

    async def slowly(topics: object) -> object:
        asked = list(topics)  # type: ignore[call-overload]
        if any(topic.name == "slow" for topic in asked):
            await confirmed.wait()
        return await watch(asked)

    monkeypatch.setattr(upstream, "watch", slowly)
    return confirmed


async def test_a_topic_revoked_before_its_confirmation_is_denied(
    ada: Connection, fake_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend has confirmed it, while the client waits for another topic of its frame."""
    doors = Doors()
    confirmed = await hold_up(fake_hub, monkeypatch)
    asking = asyncio.create_task(subscribe(ada, frame("list:1", "slow:2")))
    await until(lambda: is_confirmed(ada, "list:1"))

    doors.closed.add("1")
    ada.authorization.doubt([Topic("list:1")])
    await until(lambda: frames_of(ada))
    confirmed.set()
    await asyncio.wait_for(asking, PATIENCE)

    denied, subscribed = frames_of(ada)
    assert denied == Denied({"list:1": NOT_ALLOWED})
    assert isinstance(subscribed, Subscribed)
    assert set(subscribed.topics) == {"slow:2"}
    assert not ada.subscriptions.pending()


async def test_a_late_confirmation_of_an_ended_subscription_opens_no_later_one(
    ada: Connection, fake_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of the later one wait for its own confirmation."""
    Doors()
    monkeypatch.setattr("realtime.connections.subscribe.CONFIRM_TIMEOUT", 0.01)
    confirmed = await hold_up(fake_hub, monkeypatch)
    await subscribe(ada, frame("slow:1"))
    await ada.unsubscribe(list(ada.subscriptions.cursors))
    await subscribe(ada, frame("slow:1"))
    ada.mailbox.put(Message("slow:1", ROW))
    assert frames_of(ada) == []
    assert ada.mailbox.take_now() == []

    confirmed.set()

    await until(lambda: frames_of(ada))
    assert [type(each) for each in frames_of(ada)] == [Subscribed]
    assert len(await asyncio.wait_for(ada.mailbox.take(), PATIENCE)) == 1
    assert not ada.mailbox._holds


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionError("away"), ValueError()])
async def test_a_subscription_that_fails_ends_the_connection(
    ada: Connection, fake_hub: Hub, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """After any error: a client left without an answer would wait for ever."""
    Doors()
    upstream = await upstream_of(fake_hub)
    upstream.fail_watch = [error]

    ada.spawn(subscribe(ada, frame("list:1")))

    await until(lambda: ada.transport.failed)  # type: ignore[attr-defined]
    assert ada.transport.failed is error  # type: ignore[attr-defined]
