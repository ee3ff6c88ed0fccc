"""Connections that are refused, and topics that may not be watched."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from demo_todo.models import TodoList
from realtime import Message
from realtime.access import allow
from realtime.connections.authorization import NOT_ALLOWED
from realtime.protocol import CloseCode
from tests.realtime.live_client import PATIENCE, LiveClient, communicator, connected, cookie_of
from tests.realtime.websocket.telling import SENTINEL, subscribe, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_an_anonymous_socket_is_accepted_then_closed() -> None:
    """Only after accept can a close code reach the client, which then does not retry."""
    async with connected(None, welcome=False) as client:
        assert await client.closed() == CloseCode.NOT_AUTHENTICATED


async def test_frames_of_a_refused_anonymous_socket_are_ignored() -> None:
    """Frames that it sends before it notices the end reach no handler."""
    async with connected(None, welcome=False) as client:
        await client.closed()

        await client.send({"type": "subscribe", "subscriptions": [{"topic": "list:1"}]})

        assert await client.communicator.receive_nothing()


@override_settings(REALTIME={"ALLOW_ANONYMOUS": True})
async def test_an_anonymous_socket_is_admitted_by_setting() -> None:
    """The rules get AnonymousUser, and decide."""
    async with connected(None) as client:
        assert SENTINEL in await client.subscribe(SENTINEL)

        await client.send(subscribe("list:1"))

        assert (await client.receive("denied"))["topics"] == {"list:1": NOT_ALLOWED}


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", None])
async def test_a_foreign_origin_is_refused_before_accept(ada: User, origin: bytes | None) -> None:
    """Otherwise any page could read its visitor's data; servers turn this into HTTP 403."""
    socket = communicator(cookie=await cookie_of(ada), origin=origin)

    accepted, _ = await socket.connect(PATIENCE)

    assert not accepted
    await socket.disconnect(code=1006, timeout=PATIENCE)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/live", "/ws/live/more/", "/ws/other/"])
async def test_an_unknown_path_is_refused(ada: User, path: str) -> None:
    """Quietly: with Channels alone it would be a traceback in the log."""
    socket = communicator(path, cookie=await cookie_of(ada))

    accepted, _ = await socket.connect(PATIENCE)

    assert not accepted
    await socket.disconnect(code=1006, timeout=PATIENCE)


@pytest.mark.parametrize(
    "topic",
    [
        "list:999999",  # a rule that denies
        "list:",  # a bare family
        "list",  # not a topic
        "list:x",  # a key that does not convert
        "list:05",  # another spelling of 5
        "list:5/6",  # too many parts
        "nobody:5",  # no rule
        "broken:5",  # a rule that raises
        "",
        "Ünfug:%zz",
    ],
)
async def test_every_refusal_looks_the_same(client: LiveClient, topic: str) -> None:
    """A client that may not watch learns nothing, not even whether the row exists."""

    def raises(user: User, key: str) -> bool:
        raise RuntimeError("no database today")

    allow("broken")(raises)

    await client.send(subscribe(topic))

    assert await client.receive() == {"type": "denied", "topics": {topic: NOT_ALLOWED}}


async def test_a_refused_topic_sends_nothing(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Of a frame with several topics, only the allowed ones are watched."""
    foreign = await TodoList.objects.acreate(name="Foreign")
    await client.send(subscribe(topic, f"list:{foreign.pk}"))
    assert set((await client.receive("subscribed"))["topics"]) == {topic}
    assert set((await client.receive("denied"))["topics"]) == {f"list:{foreign.pk}"}

    await tell(Message(f"list:{foreign.pk}", reset="bulk"))
    await tell(Message(topic, reset="bulk"))

    assert set(await client.changed()) == {topic}
