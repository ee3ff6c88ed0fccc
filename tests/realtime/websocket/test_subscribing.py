"""Subscribing and unsubscribing: the messages in between, and their order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from django.contrib.auth.models import User

from realtime import Cursor, Message, Topic
from realtime.server import server_of
from tests.realtime.live_client import LiveClient, connected
from tests.realtime.websocket.telling import SENTINEL, subscribe, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_topic_twice_is_one_subscription(client: LiveClient, topic: str) -> None:
    """In one frame or in two: each message arrives once, and one `unsubscribe` ends it."""
    await client.subscribe(topic, topic, SENTINEL)
    await client.subscribe(topic)

    await tell(Message(topic, reset="bulk"))
    assert set(await client.changed()) == {topic}
    await client.send({"type": "unsubscribe", "topics": [topic]})
    assert await client.nothing_waits()
    await tell(Message(topic, reset="bulk"), Message(SENTINEL, reset="bulk"))

    assert set(await client.changed()) == {SENTINEL}


async def test_unsubscribing_ends_the_messages(client: LiveClient, topic: str) -> None:
    """Those of other topics still arrive."""
    await client.subscribe(topic, SENTINEL)

    await client.send({"type": "unsubscribe", "topics": [topic, "list:never", "nonsense"]})
    assert await client.nothing_waits()
    await tell(Message(topic, reset="bulk"), Message(SENTINEL, reset="bulk"))

    assert set(await client.changed()) == {SENTINEL}


LEFT = {"a.b": {"1": "left"}}


async def test_messages_before_the_confirmation_wait_for_it(
    client: LiveClient, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mailbox is added before the backend is asked, and its writer is not blocked."""
    hub = server_of().hub
    ask = hub._watch

    async def watch_while_something_comes(topics: Iterable[Topic]) -> Cursor:
        head = await ask(topics)
        hub._fan_out.received(await hub._connection(), [Message(topic, LEFT, cursor=head)])
        for _ in range(10):  # the writer has its chance
            await asyncio.sleep(0)
        return head

    monkeypatch.setattr(hub, "_watch", watch_while_something_comes)

    await client.subscribe(topic)

    assert (await client.changed())[topic]["changes"] == {"a.b": {"left": ["1"]}}


async def test_a_topic_can_be_subscribed_again(client: LiveClient, topic: str) -> None:
    """After `unsubscribe`, with its cursor: messages in between are replayed."""
    cursor = (await client.subscribe(topic))[topic]["cursor"]
    await client.send({"type": "unsubscribe", "topics": [topic]})
    assert await client.nothing_waits()
    await tell(Message(topic, {"a.b": {"1": "left"}}))

    await client.subscribe((topic, cursor))

    assert (await client.changed())[topic]["changes"] == {"a.b": {"left": ["1"]}}


async def test_subscribing_again_never_runs_ahead_of_what_was_sent(
    ada: User, client: LiveClient, topic: str
) -> None:
    """A client that reconnected with such a cursor would miss its waiting messages."""
    first = await client.subscribe(topic)
    async with connected(ada) as other:
        await other.subscribe(SENTINEL)
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        head = (await other.changed())[SENTINEL]["cursor"]

    again = await client.subscribe(topic)

    assert head != again[topic]["cursor"] == first[topic]["cursor"]


async def test_subscribed_always_precedes_changed(ada: User, topic: str) -> None:
    """However many messages arrive while the client subscribes."""
    stop = asyncio.Event()

    async def keep_telling() -> None:
        while not stop.is_set():
            await tell(Message(topic, {"a.b": {"1": "updated"}}))

    telling = asyncio.create_task(keep_telling())
    try:
        for _ in range(15):
            async with connected(ada) as client:
                await client.send(subscribe(topic))
                assert (await client.receive())["type"] == "subscribed"
                assert (await client.receive())["type"] == "changed"
    finally:
        stop.set()
        await telling
