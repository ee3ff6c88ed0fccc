"""Invalid frames: their costs, and to which client."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from realtime import Message, aposition
from realtime.connections.subscribe import MOST_CURSORS
from realtime.protocol import CloseCode
from tests.realtime.live_client import LiveClient, connected
from tests.realtime.websocket.telling import SENTINEL, subscribe, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("text", ["{", "[]", "1", "null", '"x"', " ", "[" * 20_000, "\x00"])
async def test_a_frame_that_is_not_a_json_object_ends_the_connection(
    client: LiveClient, text: str
) -> None:
    """After an `error` that says so."""
    await client.send(text)

    assert (await client.receive("error"))["code"] == "not-json"
    assert await client.closed() == CloseCode.NOT_UNDERSTOOD


async def test_a_binary_frame_ends_the_connection(client: LiveClient) -> None:
    """Even if it holds JSON."""
    await client.send(b'{"type":"ping"}')

    assert (await client.receive("error"))["code"] == "not-text"
    assert await client.closed() == CloseCode.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "dance"}, "unknown-type"),
        ({"type": 5}, "unknown-type"),
        ({}, "unknown-type"),
        ({"type": "welcome"}, "unknown-type"),
        ({"type": "subscribe"}, "bad-field"),
        ({"type": "subscribe", "subscriptions": "list:5"}, "bad-field"),
        ({"type": "subscribe", "subscriptions": [{}]}, "bad-field"),
        ({"type": "subscribe", "subscriptions": [{"topic": 5}]}, "bad-field"),
        ({"type": "subscribe", "subscriptions": [{"topic": "a:1", "cursor": 1}]}, "bad-field"),
        ({"type": "unsubscribe", "topics": [None]}, "bad-field"),
        ({"type": "pong", "seq": "1"}, "bad-field"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    client: LiveClient, frame: dict[str, object], code: str
) -> None:
    """The error carries the frame's own id, so that the client can match it."""
    await client.send(frame | {"id": "v1"})

    error = await client.receive("error")
    assert (error["code"], error["id"]) == (code, "v1")
    assert SENTINEL in await client.subscribe(SENTINEL)


async def test_an_error_without_an_id_has_none(client: LiveClient) -> None:
    """An id that is not text is ignored."""
    await client.send({"type": "dance", "id": 5})

    assert "id" not in await client.receive("error")


async def test_unknown_fields_are_ignored(client: LiveClient) -> None:
    """Newer clients may send more."""
    await client.send({"type": "ping", "future": {"a": 1}})

    assert await client.receive() == {"type": "pong"}


@pytest.mark.parametrize("pad", ["x" * 74, "ü" * 37])
@override_settings(REALTIME={"MAX_FRAME_BYTES": 100})
async def test_a_frame_that_is_too_large_ends_the_connection(client: LiveClient, pad: str) -> None:
    """Bytes are counted, not letters."""
    await client.send({"type": "ping", "pad": "x" * 73})
    await client.receive("pong")

    await client.send(json.dumps({"type": "ping", "pad": pad}, ensure_ascii=False))

    assert await client.closed() == CloseCode.TOO_LARGE


@override_settings(REALTIME={"MAX_SUBSCRIPTIONS": 3})
async def test_too_many_subscriptions_end_the_connection(client: LiveClient, topic: str) -> None:
    """Current ones and those asked for count; a topic twice counts once."""
    await client.subscribe("sentinel:1", "sentinel:2")
    await client.subscribe("sentinel:2", "sentinel:3", "sentinel:3")

    await client.send(subscribe("sentinel:4"))

    assert await client.closed() == CloseCode.TOO_MANY


@override_settings(REALTIME={"MAX_SUBSCRIPTIONS": 3})
async def test_one_topic_very_many_times_ends_the_connection(
    client: LiveClient, topic: str
) -> None:
    """Each cursor may cost a search of the history, so a frame's cursors are bounded."""
    await client.send(subscribe(*[topic] * 4))

    assert await client.closed() == CloseCode.TOO_MANY


async def test_very_many_cursors_of_a_topic_are_answered_with_a_reset(
    client: LiveClient, topic: str
) -> None:
    """Without a search for each, although no message was missed; the topic is subscribed."""
    cursors = []
    for _ in range(MOST_CURSORS + 1):
        await tell(Message(SENTINEL, reset="bulk"))
        cursors.append(str(await aposition()))

    await client.subscribe(*((topic, cursor) for cursor in cursors[1:]))
    assert await client.nothing_waits()
    await client.subscribe(*((topic, cursor) for cursor in cursors))

    assert "reset" in (await client.changed())[topic]


async def test_one_clients_bad_input_affects_no_other(ada: User, topic: str) -> None:
    """Bad input costs that client its connection, and affects no other."""
    async with connected(ada) as good, connected(ada) as bad:
        await good.subscribe(topic)
        await bad.subscribe(topic)
        await bad.send("{")
        await bad.receive("error")
        await bad.closed()

        await tell(Message(topic, reset="bulk"))

        assert topic in await good.changed()
