"""The websocket from outside: frames in, frames out, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import override_settings

from demo_todo.models import Membership, Task, TodoList
from realtime import Message, aposition, publish
from realtime.access import allow
from realtime.hub import close_hub, get_hub
from realtime.messages import Reset
from realtime.protocol import CloseCode
from realtime.subscribing import NOT_ALLOWED
from tests.realtime.live_client import PATIENCE, LiveClient, communicator, connected, cookie_of

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")

SENTINEL = "sentinel:1"


@pytest.fixture(autouse=True)
def rules(no_rules: None) -> None:
    """Who is logged in may watch lists that they are members of, and the sentinel."""

    def is_member(user: User, list_id: int) -> bool:
        return Membership.objects.filter(user=user.pk, list=list_id).exists()

    allow("list")(is_member)
    allow("sentinel")(lambda user, key: True)


@pytest_asyncio.fixture(autouse=True)
async def fresh_hub() -> AsyncIterator[None]:
    """Close the hub, and this thread's connections, before the database is flushed."""
    yield
    await asyncio.wait_for(close_hub(), PATIENCE)
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def ada() -> User:
    return await User.objects.acreate_user("ada")


@pytest_asyncio.fixture
async def shopping(ada: User) -> TodoList:
    found = await TodoList.objects.acreate(name="Shopping")
    await Membership.objects.acreate(list=found, user=ada)
    return found


@pytest_asyncio.fixture
async def topic(shopping: TodoList) -> str:
    return f"list:{shopping.pk}"


@pytest_asyncio.fixture
async def client(ada: User) -> AsyncIterator[LiveClient]:
    async with connected(ada) as client:
        yield client


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Run ORM code in a thread and on a connection of its own, as another request would."""

    def run() -> T:
        try:
            return work(*args)
        finally:
            connections.close_all()

    return await asyncio.wait_for(asyncio.to_thread(run), PATIENCE)


async def tell(*messages: Message) -> None:
    """Publish messages, all in one transaction, from another thread."""
    await in_thread(publish, messages)


def subscribe(*topics: str) -> dict[str, object]:
    return {"type": "subscribe", "subscriptions": [{"topic": topic} for topic in topics]}


# -- connecting ------------------------------------------------------------------------------


async def test_a_socket_is_welcomed(ada: User) -> None:
    """The first frame says which protocol is spoken."""
    async with connected(ada, welcome=False) as client:
        frame = await client.receive("welcome")

    assert frame == {
        "type": "welcome",
        "protocol": 1,
        "connection": frame["connection"],
        "heartbeat": 25,
    }


async def test_every_socket_has_an_id_of_its_own(ada: User) -> None:
    """Two tabs of one user are two connections."""
    async with connected(ada, welcome=False) as one, connected(ada, welcome=False) as two:
        frames = [await client.receive("welcome") for client in (one, two)]

    assert frames[0]["connection"] != frames[1]["connection"]


async def test_an_anonymous_socket_is_accepted_then_closed() -> None:
    """Only after accept can a code be told, and the client know that retrying is no use."""
    async with connected(None, welcome=False) as client:
        assert await client.closed() == CloseCode.NOT_AUTHENTICATED


async def test_an_anonymous_socket_that_goes_on_is_not_heard() -> None:
    """What it sends before it notices the end reaches no handler."""
    async with connected(None, welcome=False) as client:
        await client.closed()

        await client.send({"type": "subscribe", "subscriptions": [{"topic": "list:1"}]})

        assert await client.communicator.receive_nothing()


@override_settings(REALTIME={"ALLOW_ANONYMOUS": True})
async def test_an_anonymous_socket_is_welcome_by_setting() -> None:
    """The rules then see AnonymousUser, and decide."""
    async with connected(None) as client:
        assert SENTINEL in await client.subscribe(SENTINEL)

        await client.send(subscribe("list:1"))

        assert (await client.receive("denied"))["topics"] == {"list:1": NOT_ALLOWED}


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", None])
async def test_a_foreign_origin_is_refused_before_accept(ada: User, origin: bytes | None) -> None:
    """Else any web page could read what its visitor may see; servers make this HTTP 403."""
    socket = communicator(cookie=await cookie_of(ada), origin=origin)

    accepted, _ = await socket.connect(PATIENCE)

    assert not accepted
    await socket.disconnect(code=1006, timeout=PATIENCE)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/live", "/ws/live/more/", "/ws/other/"])
async def test_a_path_that_nobody_serves_is_refused(ada: User, path: str) -> None:
    """Quietly: with Channels alone it would be a traceback in the log."""
    socket = communicator(path, cookie=await cookie_of(ada))

    accepted, _ = await socket.connect(PATIENCE)

    assert not accepted
    await socket.disconnect(code=1006, timeout=PATIENCE)


# -- being told ------------------------------------------------------------------------------


async def test_a_committed_change_is_told(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Another request saves a task; whoever watches its list hears which row."""
    before = await client.subscribe(topic)

    task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    told = await client.changed()
    cursor = told[topic].pop("cursor")
    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}}
    assert cursor != before[topic]["cursor"]


async def test_a_change_that_was_rolled_back_is_not_told(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Nothing changed, so nothing is said."""
    await client.subscribe(topic)

    def change_your_mind() -> None:
        with transaction.atomic():
            Task.objects.create(list=shopping, title="Milk")
            transaction.set_rollback(True)

    await in_thread(change_your_mind)
    sentinel = await in_thread(lambda: Task.objects.create(list=shopping, title="Bread"))

    rows = (await client.changed())[topic]["changes"]["demo_todo.task"]
    assert rows == {"entered": [str(sentinel.pk)]}


async def test_a_bulk_reset_of_the_family_is_told_under_the_topic(
    client: LiveClient, topic: str
) -> None:
    """A client knows topics, not families."""
    await client.subscribe(topic)

    await tell(Message("list:", reset=Reset.BULK))

    told = await client.changed()
    assert told == {topic: {"cursor": told[topic]["cursor"], "reset": "bulk"}}


async def test_every_verb_has_a_list_of_its_own(client: LiveClient, topic: str) -> None:
    """Lists that would be empty are absent."""
    await client.subscribe(topic)

    await tell(
        Message(topic, {"a.b": {"1": "entered", "2": "left", "3": "left"}}),
        Message(topic, {"a.c": {"1": "updated"}, "a.b": {"1": "updated"}}),
    )

    changes: dict[str, dict[str, list[str]]] = {}
    while "a.c" not in changes:
        changes |= (await client.changed())[topic]["changes"]
    assert changes["a.c"] == {"updated": ["1"]}


async def test_what_is_opaque_never_reaches_a_client(client: LiveClient, topic: str) -> None:
    """`extra` may hold images of rows that this user may not see."""
    await client.subscribe(topic)

    await tell(Message(topic, {"a.b": {"1": "left"}}, extra={"secret": "salary"}))

    output = await client.communicator.receive_output(PATIENCE)
    assert "secret" not in output["text"]
    assert json.loads(output["text"])["topics"][topic]["changes"] == {"a.b": {"left": ["1"]}}


async def test_a_slow_client_is_told_at_once_what_was_many(
    client: LiveClient, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is merged, and too much of it becomes a reset."""
    await client.subscribe(topic)
    mailbox = next(iter(get_hub()._subscribers.of(topic)))
    monkeypatch.setattr(mailbox, "_most_rows", 3)

    await tell(*(Message(topic, {"a.b": {str(pk): "updated"}}) for pk in range(50)))

    assert (await client.changed())[topic]["reset"] == "overflow"


async def test_two_clients_hear_the_same(ada: User, topic: str) -> None:
    """The hub watches once, and tells everybody."""
    async with connected(ada) as one, connected(ada) as two:
        await one.subscribe(topic)
        await two.subscribe(topic)

        await tell(Message(topic, {"a.b": {"1": "left"}}))

        assert await one.changed() == await two.changed()


# -- subscribing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "list:999999",  # a rule that says no
        "list:",  # a bare family
        "list",  # no topic at all
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
    """Whoever may not watch learns nothing, not even whether the thing exists."""

    def raises(user: User, key: str) -> bool:
        raise RuntimeError("no database today")

    allow("broken")(raises)

    await client.send(subscribe(topic))

    assert await client.receive() == {"type": "denied", "topics": {topic: NOT_ALLOWED}}


async def test_a_refused_topic_is_not_heard(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Of a frame with several topics, those allowed are watched and the others are not."""
    foreign = await TodoList.objects.acreate(name="Foreign")
    await client.send(subscribe(topic, f"list:{foreign.pk}"))
    assert set((await client.receive("subscribed"))["topics"]) == {topic}
    assert set((await client.receive("denied"))["topics"]) == {f"list:{foreign.pk}"}

    await tell(Message(f"list:{foreign.pk}", reset="bulk"))
    await tell(Message(topic, reset="bulk"))

    assert set(await client.changed()) == {topic}


async def test_a_stale_cursor_is_echoed_and_then_reset(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """`subscribed` must not make a client believe that it stands where it has yet to get."""
    stale = str(await aposition())
    await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    assert await client.subscribe((topic, stale)) == {topic: {"cursor": stale}}

    told = (await client.changed())[topic]
    assert told["reset"] == Reset.NO_REPLAY
    assert told["cursor"] != stale


async def test_the_cursor_of_a_reset_is_good(ada: User, shopping: TodoList, topic: str) -> None:
    """Whoever has reloaded, and comes back with it, need not reload again."""
    stale = str(await aposition())
    await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))
    async with connected(ada) as client:
        await client.subscribe((topic, stale))
        cursor = (await client.changed())[topic]["cursor"]

    async with connected(ada) as client:
        await client.subscribe((topic, cursor))
        assert await client.nothing_waits()


async def test_a_fresh_cursor_needs_no_reset(client: LiveClient, topic: str) -> None:
    """A page that subscribes right after it was rendered stays as it is."""
    fresh = str(await aposition())

    await client.subscribe((topic, fresh))

    assert await client.nothing_waits()


async def test_a_family_reset_since_the_cursor_is_told(client: LiveClient, topic: str) -> None:
    """It must not be missed because it lives under another topic."""
    stale = str(await aposition())
    await tell(Message("list:", reset=Reset.BULK))

    await client.subscribe((topic, stale))

    assert "reset" in (await client.changed())[topic]


@pytest.mark.parametrize("cursor", ["garbage", "a.b", "none.0", "x" * 5_000, "٣.٣", ".", "a.-"])
async def test_a_cursor_that_is_none_is_a_reset(
    client: LiveClient, topic: str, cursor: str
) -> None:
    """Nobody can prove what followed it."""
    assert await client.subscribe((topic, cursor)) == {topic: {"cursor": cursor}}

    assert "reset" in (await client.changed())[topic]


@pytest.mark.parametrize("stale_first", [True, False])
async def test_of_two_cursors_the_older_wins(
    client: LiveClient, shopping: TodoList, topic: str, stale_first: bool
) -> None:
    """Two parts of a page show the topic, one of them as it was before."""
    stale = str(await aposition())
    await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))
    fresh = str(await aposition())
    pairs = [(topic, stale), (topic, fresh)]

    told = await client.subscribe(*(pairs if stale_first else pairs[::-1]))

    assert told == {topic: {"cursor": stale}}
    assert "reset" in (await client.changed())[topic]
    assert await client.nothing_waits()


async def test_a_topic_twice_is_one_subscription(client: LiveClient, topic: str) -> None:
    """In one frame or in two: each message comes once, and one `unsubscribe` ends it."""
    await client.subscribe(topic, topic, SENTINEL)
    await client.subscribe(topic)

    await tell(Message(topic, reset="bulk"))
    assert set(await client.changed()) == {topic}
    await client.send({"type": "unsubscribe", "topics": [topic]})
    assert await client.nothing_waits()
    await tell(Message(topic, reset="bulk"), Message(SENTINEL, reset="bulk"))

    assert set(await client.changed()) == {SENTINEL}


async def test_unsubscribing_ends_the_messages(client: LiveClient, topic: str) -> None:
    """The others still come."""
    await client.subscribe(topic, SENTINEL)

    await client.send({"type": "unsubscribe", "topics": [topic, "list:never", "nonsense"]})
    assert await client.nothing_waits()
    await tell(Message(topic, reset="bulk"), Message(SENTINEL, reset="bulk"))

    assert set(await client.changed()) == {SENTINEL}


async def test_a_topic_can_be_subscribed_again(client: LiveClient, topic: str) -> None:
    """After `unsubscribe`, with the cursor it had: what was said in between is told."""
    cursor = (await client.subscribe(topic))[topic]["cursor"]
    await client.send({"type": "unsubscribe", "topics": [topic]})
    assert await client.nothing_waits()
    await tell(Message(topic, {"a.b": {"1": "left"}}))

    await client.subscribe((topic, cursor))

    assert "reset" in (await client.changed())[topic]


async def test_subscribing_again_never_runs_ahead_of_what_was_sent(
    ada: User, client: LiveClient, topic: str
) -> None:
    """A client that trusted the cursor and came back with it would miss what waits for it."""
    first = await client.subscribe(topic)
    async with connected(ada) as other:
        await other.subscribe(SENTINEL)
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        head = (await other.changed())[SENTINEL]["cursor"]

    again = await client.subscribe(topic)

    assert head != again[topic]["cursor"] == first[topic]["cursor"]


async def test_subscribed_always_precedes_changed(ada: User, topic: str) -> None:
    """However hard the topic is hit while the client subscribes."""
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


async def test_disconnecting_leaves_nothing_in_the_hub(ada: User, topic: str) -> None:
    """A server lives for months; what a socket leaves behind would add up."""
    async with connected(ada) as client:
        await client.subscribe(topic, SENTINEL)
        assert get_hub()._subscribers.topics()

    assert not get_hub()._subscribers.wanted()
    assert not get_hub()._upstream._watched


async def test_disconnecting_while_subscribing_leaves_nothing(ada: User, topic: str) -> None:
    """The application is cancelled by its server in the midst of a frame."""
    hub = get_hub()
    for _ in range(10):
        socket = communicator(cookie=await cookie_of(ada))
        await socket.connect(PATIENCE)
        await socket.send_to(text_data=json.dumps(subscribe(topic, SENTINEL)))
        await asyncio.sleep(0)

        socket.future.cancel()
        await asyncio.gather(socket.future, return_exceptions=True)

        assert not hub._subscribers.wanted()


# -- what is not understood ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", "[]", "1", "null", '"x"', " ", "[" * 20_000, "\x00"])
async def test_what_is_no_json_object_ends_the_connection(client: LiveClient, text: str) -> None:
    """After an `error` that says so."""
    await client.send(text)

    assert (await client.receive("error"))["code"] == "not-json"
    assert await client.closed() == CloseCode.NOT_UNDERSTOOD


async def test_a_binary_frame_ends_the_connection(client: LiveClient) -> None:
    """Even one that holds JSON."""
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
    """The error carries the frame's own id, so that the client knows which."""
    await client.send(frame | {"id": "v1"})

    error = await client.receive("error")
    assert (error["code"], error["id"]) == (code, "v1")
    assert SENTINEL in await client.subscribe(SENTINEL)


async def test_an_error_without_an_id_has_none(client: LiveClient) -> None:
    """An id that is not text is nobody's."""
    await client.send({"type": "dance", "id": 5})

    assert "id" not in await client.receive("error")


async def test_unknown_fields_are_ignored(client: LiveClient) -> None:
    """Newer clients may say more."""
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
    """Those it has count, and so do those asked for; a topic twice counts once."""
    await client.subscribe("sentinel:1", "sentinel:2")
    await client.subscribe("sentinel:2", "sentinel:3", "sentinel:3")

    await client.send(subscribe("sentinel:4"))

    assert await client.closed() == CloseCode.TOO_MANY


async def test_nothing_is_said_after_the_end(ada: User, topic: str) -> None:
    """A server would call it an error to send once it has been told to close."""
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


async def test_one_clients_nonsense_is_nobody_elses(ada: User, topic: str) -> None:
    """Bad input costs that client its connection, and no more."""
    async with connected(ada) as good, connected(ada) as bad:
        await good.subscribe(topic)
        await bad.subscribe(topic)
        await bad.send("{")
        await bad.receive("error")
        await bad.closed()

        await tell(Message(topic, reset="bulk"))

        assert topic in await good.changed()


# -- staying alive ---------------------------------------------------------------------------


async def test_a_ping_is_answered(client: LiveClient) -> None:
    """A client asks whether the server is there."""
    await client.send({"type": "ping"})

    assert await client.receive() == {"type": "pong"}


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_the_server_pings_at_its_heartbeat(ada: User) -> None:
    """Each with the next number; the client answers, and hears nothing of that."""
    async with connected(ada, welcome=False) as client:
        assert (await client.receive("welcome"))["heartbeat"] == 0.02

        for number in (1, 2, 3):
            assert await client.receive() == {"type": "ping", "seq": number}
            await client.send({"type": "pong", "seq": number})


@override_settings(REALTIME={"HEARTBEAT": 0.02, "SILENCE": 0.1})
async def test_a_silent_client_is_let_go(ada: User) -> None:
    """It may be long gone behind a dead network."""
    async with connected(ada) as client:
        while (output := await client.communicator.receive_output(PATIENCE))["type"] != (
            "websocket.close"
        ):
            assert json.loads(output["text"])["type"] == "ping"

        assert output["code"] == CloseCode.SILENT


@override_settings(REALTIME={"HEARTBEAT": 0.02, "SILENCE": 1})
async def test_a_client_that_answers_stays(ada: User) -> None:
    """Any frame is a sign of life."""
    clock = asyncio.get_running_loop().time
    async with connected(ada) as client:
        until = clock() + 1.2
        while clock() < until:
            frame = await client.receive("ping")
            await client.send({"type": "pong", "seq": frame["seq"]})


async def test_a_writer_that_fails_closes_the_socket(
    client: LiveClient,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client comes back with its cursor: better told late than left believing."""
    await client.subscribe(topic)

    def fail(*_: object) -> None:
        raise RuntimeError("out of ink")

    monkeypatch.setattr("realtime.transports.websocket.encode", fail)
    with caplog.at_level(logging.CRITICAL, "realtime.websocket"):
        await tell(Message(topic, reset="bulk"))

        await client.closed()


async def test_a_writer_whose_client_is_gone_is_quiet(
    client: LiveClient,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some servers raise OSError for it; that is no error of ours."""
    await client.subscribe(topic)
    gone = asyncio.Event()

    def refuse(*_: object) -> None:
        gone.set()
        raise ConnectionResetError

    monkeypatch.setattr("realtime.transports.websocket.encode", refuse)
    await tell(Message(topic, reset="bulk"))

    await asyncio.wait_for(gone.wait(), PATIENCE)
    assert not caplog.records
