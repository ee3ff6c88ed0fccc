"""The events of a stream, their ids, and its end."""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from demo_todo.models import TodoList
from realtime import Message, aposition
from realtime.access import allow
from realtime.access.signals import users_changed
from realtime.protocol import CloseCode
from realtime.server import server_of
from tests.realtime.http.requests import Request, asking, query, streaming
from tests.realtime.websocket.telling import SENTINEL, in_thread, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stream_begins_with_welcome(ada: User, topic: str) -> None:
    """As a socket does; with a time to reconnect, which differs between clients."""
    async with asking(ada, query("sse", topic)) as request:
        await request.answered()
        welcome = await request.event("welcome")
        subscribed = await request.event("subscribed")

    assert request.headers["Content-Type"] == "text/event-stream"
    assert request.headers["Cache-Control"] == "no-store"
    assert request.headers["X-Accel-Buffering"] == "no"
    assert not [name for name in request.headers if name.startswith("Access-Control")]
    assert welcome.data["heartbeat"] == 25
    assert welcome.retry
    assert subscribed.id == subscribed.data[topic]["cursor"]


async def test_the_first_id_is_where_the_client_stands(ada: User, since: str, topic: str) -> None:
    """A client that is cut off before the replay comes back for the replay."""
    async with asking(ada, query("sse", topic, since=since)) as request:
        await request.answered()
        assert (await request.event("welcome")).id == since

    async with asking(ada, query("sse", topic)) as request:
        await request.answered()
        assert (await request.event("welcome")).id == "none.0"


@pytest.mark.parametrize("field", ["since", "cursor"])
async def test_a_page_begins_where_it_was_made(
    ada: User, since: str, topic: str, field: str
) -> None:
    """Changes since then come first."""
    await tell(Message(topic, {"a.b": {"1": "left"}}))

    async with streaming(ada, topic, **{field: since}) as stream:
        subscribed = await stream.event("subscribed")
        changed = await stream.event("changed")

    assert (subscribed.id, subscribed.data[topic]["cursor"]) == (None, since)
    assert changed.data[topic]["changes"] == {"a.b": {"left": ["1"]}}
    assert changed.id


async def test_the_browsers_own_id_wins_over_the_pages(ada: User, since: str, topic: str) -> None:
    """It reconnects to the page's URL, whose cursor is older."""
    await tell(Message(topic, {"a.b": {"1": "left"}}))
    last = str(await aposition())

    async with streaming(ada, topic, last=last, since=since) as stream:
        await stream.event("subscribed")
        await tell(Message(topic, {"a.b": {"2": "left"}}))
        changed = await stream.event("changed")

    assert changed.data[topic]["changes"] == {"a.b": {"left": ["2"]}}


@pytest.mark.parametrize("last", ["", "garbage", "a.b", "none.0", "\xff.\xe9", "x" * 3_000])
async def test_an_id_that_proves_nothing_is_a_reset(ada: User, topic: str, last: str) -> None:
    """Of each topic; never silence."""
    async with streaming(ada, topic, SENTINEL, last=last) as stream:
        await stream.event("subscribed")
        told: dict[str, dict[str, str]] = {}
        while len(told) < 2:
            told |= (await stream.event("changed")).data

    assert all("reset" in entry for entry in told.values())


async def test_an_id_stays_where_it_was_while_something_is_held(ada: User, topic: str) -> None:
    """A message that waits for a rule was not sent: a client that is cut off gets it later."""
    answer, asked = asyncio.Event(), asyncio.Event()
    answer.set()

    async def may(user: User, key: str) -> bool:
        asked.set()
        await answer.wait()
        return True

    allow("slow")(may)
    async with streaming(ada, "slow:1", SENTINEL) as stream:
        known = (await stream.event("subscribed")).id
        answer.clear()
        asked.clear()
        await in_thread(users_changed, [str(ada.pk)])
        await asyncio.wait_for(asked.wait(), 30)
        (connection,) = server_of().connections
        connection.mailbox.release(SENTINEL)  # its rule is quick
        await tell(Message("slow:1", {"a.b": {"1": "left"}}))
        await tell(Message(SENTINEL, {"a.b": {"2": "left"}}))
        told = await stream.event("changed")
        assert set(told.data) == {SENTINEL}
        assert told.id is None
        answer.set()
        assert set((await stream.event("changed")).data) == {"slow:1"}

    async with streaming(ada, "slow:1", SENTINEL, last=known) as stream:
        await stream.event("subscribed")
        assert set((await stream.event("changed")).data) == {"slow:1", SENTINEL}


async def test_an_id_stays_where_it_was_once_a_topic_is_revoked(ada: User, topic: str) -> None:
    """The id is valid for all topics: a client that may watch again gets what it missed."""
    allowed = True
    allow("door")(lambda user, key: allowed)
    async with streaming(ada, "door:1", SENTINEL) as stream:
        known = (await stream.event("subscribed")).id
        allowed = False
        await in_thread(users_changed, [str(ada.pk)])
        revoked = await stream.event("revoked")
        await tell(Message("door:1", {"a.b": {"1": "left"}}))
        await tell(Message(SENTINEL, {"a.b": {"2": "left"}}))
        changed = await stream.event("changed")
        allowed = True

    assert (revoked.id, changed.id) == (None, None)
    async with streaming(ada, "door:1", SENTINEL, last=known) as stream:
        await stream.event("subscribed")
        assert set((await stream.event("changed")).data) == {"door:1", SENTINEL}


async def test_a_stream_ends_when_nothing_is_left_of_it(ada: User) -> None:
    """All its topics were revoked."""
    allowed = True
    allow("door")(lambda user, key: allowed)
    async with streaming(ada, "door:1") as stream:
        await stream.event("subscribed")
        allowed = False
        await in_thread(users_changed, [str(ada.pk)])

        assert (await stream.event("revoked")).data == ["door:1"]
        assert (await stream.event("closed")).data == {"code": CloseCode.REFUSED}
        assert await stream.ended()


async def test_operators_find_a_stream_among_the_connections(ada: User, topic: str) -> None:
    """Its transport, its user, and how much it was sent."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")

        (connection,) = server_of().connections.of_user(str(ada.pk))
        assert connection.transport.name == "sse"
        assert connection.transport.facts()["sent"] > 0


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_a_stream_gives_signs_of_life(ada: User, topic: str) -> None:
    """Comments, which no script sees; proxies close silent streams."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")

        assert await stream.chunk() == ":\n\n"


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_a_stream_ends_where_the_server_drains(ada: User, topic: str) -> None:
    """Its clients reconnect to another one, not all at once."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")
        server_of().connections.draining = True

        closed = await stream.event("closed")

        assert closed.data == {"code": CloseCode.DRAINING}
        assert closed.retry
        assert await stream.ended()


async def test_a_stream_ends_where_the_server_fails(
    ada: User, topic: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With an id that is not behind the lost messages."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")
        monkeypatch.setattr("realtime.transports.sse.topics_of", None)
        await tell(Message(topic, reset="bulk"))

        closed = await stream.event("closed")

        assert (closed.data, closed.id) == ({"code": 1011}, None)
        assert await stream.ended()
    assert "failed" in caplog.text


@override_settings(REALTIME={"SSE_SECONDS": 0.05})
async def test_a_stream_ends_after_a_while(ada: User, topic: str) -> None:
    """Without an event for the end: the browser reconnects by itself."""
    async with asking(ada, query("sse", topic)) as stream:
        await stream.answered()
        assert stream.status == 200

        # On a slow machine the stream ends before its first event.
        text = ""
        while part := await stream.chunk():
            text += part
        assert "event: closed" not in text
    assert not len(server_of().connections)


@override_settings(REALTIME={"SSE_MAX_BYTES": 2_000})
async def test_a_stream_to_a_client_that_does_not_read_is_bounded(ada: User, topic: str) -> None:
    """If the server accepts everything, as daphne does; a client that reconnects gets the rest."""
    async with streaming(ada, topic) as stream:
        first = await stream.event("subscribed")
        for number in range(50):
            await tell(Message(topic, {"a.b": {f"{number:0>40}": "left"}}))
        assert not len(server_of().connections)
        told, last = await everything(stream, topic)
    assert len(told) < 50

    async with streaming(ada, topic, last=last or first.id) as stream:
        await stream.event("subscribed")
        while len(told) < 50:
            event = await stream.event("changed")
            told |= set(event.data[topic]["changes"]["a.b"]["left"])


async def everything(stream: Request, topic: str) -> tuple[set[str], str | None]:
    """Return the rows that an ended stream sent, and its last id."""
    rows: set[str] = set()
    last = None
    while not await stream.ended():
        event = await stream.event("changed")
        rows |= set(event.data[topic]["changes"]["a.b"]["left"])
        last = event.id
    return rows, last


async def test_extra_never_reaches_a_stream(ada: User, shopping: TodoList, topic: str) -> None:
    """`extra` may hold images of rows that this user may not see."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")
        await tell(Message(topic, {"a.b": {"1": "left"}}, extra={"secret": "salary"}))

        assert "secret" not in await stream.chunk()
