"""Topics that a ticket opens at once, and the rule that is asked after it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.test import override_settings

from realtime import Message, Topic
from realtime.access import allow
from realtime.access import refusals as refusals_module
from realtime.access.tickets import sign
from realtime.connections import authorization
from realtime.connections.connection import Connection
from realtime.connections.subscribe import subscribe
from realtime.hub.hub import Hub
from realtime.protocol import Denied, Frame, Revoked, Subscribe, Subscribed, Wanted
from tests.realtime.access.conftest import PATIENCE, Who, send, until
from tests.realtime.transports import Staying, connection_of, frames_of, ticket_checks_of

ROW = {"a.b": {"1": "updated"}}
MANY = 50


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask rules that failed again at once."""
    monkeypatch.setattr(authorization, "RETRY", 0.01)


class Door:
    """A rule that answers when the test lets it, and records the order of its questions."""

    def __init__(self) -> None:
        self.is_open: bool | Exception = True
        self.asked: list[tuple[str, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, user: Who, key: str) -> bool:
        self.asked.append((user.pk, key))
        await self.may_answer.wait()
        if isinstance(self.is_open, Exception):
            raise self.is_open
        return self.is_open


@pytest.fixture
def door() -> Door:
    found = Door()

    @allow("list", depends=lambda user, key: [f"members:{key}"])
    async def may(user: Who, key: str) -> bool:
        return await found(user, key)

    return found


def wanted(connection: Connection, *topics: str, cursor: str | None = None) -> Subscribe:
    """Return a frame that requests topics with a fresh ticket for each."""
    owner = connection.identity.key, connection.identity.session
    return Subscribe([Wanted(topic, cursor, sign(Topic(topic), *owner)) for topic in topics])


def kinds(connection: Connection) -> list[type[Frame]]:
    return [type(frame) for frame in frames_of(connection)]


async def idle(connection: Connection) -> None:
    """Wait until no rule is being asked."""
    grants = connection.authorization
    await until(lambda: not grants._asks and not grants._asks_behind)


async def test_a_ticket_opens_before_the_rule_has_answered(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """The client receives messages meanwhile, and no frame for a yes."""
    door.may_answer.clear()
    await asyncio.wait_for(subscribe(connection, wanted(connection, "list:1")), PATIENCE)
    assert kinds(connection) == [Subscribed]
    await until(lambda: door.asked)

    send(hub, Message("list:1", ROW))
    (message,) = await asyncio.wait_for(connection.mailbox.take(), PATIENCE)
    assert message.changes == ROW

    door.may_answer.set()
    await idle(connection)
    assert door.asked == [("1", "1")]
    assert kinds(connection) == [Subscribed]
    assert connection.subscriptions.unsettled(Topic("list:1")) is None


async def test_a_no_after_a_ticket_revokes(connection: Connection, hub: Hub, door: Door) -> None:
    """No message of the topic follows, and its dependencies are removed."""
    door.is_open = False
    await subscribe(connection, wanted(connection, "list:1"))

    await until(lambda: Revoked in kinds(connection))
    assert frames_of(connection)[1:] == [Revoked(["list:1"])]
    send(hub, Message("list:1", ROW))
    assert connection.mailbox.take_now() == []
    assert not hub._subscribers.wanted()


async def test_a_refused_topic_is_not_opened_by_a_ticket(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """The rule is asked first: on all of the user's connections, not for another user."""
    door.is_open = False
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: Revoked in kinds(connection))

    again = connection_of(Who("1"), hub, kind=Staying)
    other = connection_of(Who("2"), hub, kind=Staying)
    for each in (connection, again, other):
        frames_of(each).clear()
        await subscribe(each, wanted(each, "list:1"))

    assert kinds(connection) == kinds(again) == [Denied]
    assert kinds(other)[0] is Subscribed
    await again.let_go()
    await other.let_go()


async def test_a_topic_that_was_denied_without_a_ticket_is_not_opened_by_one(
    connection: Connection, door: Door
) -> None:
    """Every refusal counts, whatever the client's request was."""
    door.is_open = False
    await subscribe(connection, Subscribe([Wanted("list:1")]))
    await subscribe(connection, wanted(connection, "list:1"))

    assert kinds(connection) == [Denied, Denied]


async def test_a_refused_topic_opens_again_once_the_rule_says_yes(
    connection: Connection, door: Door
) -> None:
    """The rule is asked first that time, and after the ticket the next time."""
    door.is_open = False
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: Revoked in kinds(connection))
    door.is_open = True
    await subscribe(connection, wanted(connection, "list:1"))
    assert len(door.asked) == 2

    door.may_answer.clear()
    await asyncio.wait_for(subscribe(connection, wanted(connection, "list:1")), PATIENCE)

    assert kinds(connection) == [Subscribed, Revoked, Subscribed, Subscribed]
    door.may_answer.set()


async def test_a_refusal_is_forgotten_when_the_tickets_of_that_time_are_old(
    connection: Connection, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer ticket proves a newer view."""
    door.is_open = False
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: Revoked in kinds(connection))
    now = refusals_module.monotonic()
    monkeypatch.setattr(refusals_module, "monotonic", lambda: now + 601)

    await subscribe(connection, wanted(connection, "list:1"))

    assert kinds(connection)[:3] == [Subscribed, Revoked, Subscribed]


@pytest.mark.parametrize("leaves", ["unsubscribes", "goes"])
async def test_a_client_that_leaves_before_the_answer_is_not_trusted_the_next_time(
    connection: Connection, hub: Hub, door: Door, leaves: str
) -> None:
    """Else it could reconnect again and again without receiving the rule's no."""
    door.may_answer.clear()
    early = connection_of(Who("1"), hub, kind=Staying)
    await subscribe(early, wanted(early, "list:1"))
    if leaves == "unsubscribes":
        await early.unsubscribe([Topic("list:1")])
    else:
        await early.let_go()
    door.may_answer.set()
    door.is_open = False

    await subscribe(connection, wanted(connection, "list:1"))

    assert kinds(connection) == [Denied]
    await early.let_go()


async def test_an_expired_ticket_has_the_rule_asked_first(
    connection: Connection, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a ticket."""
    frame = wanted(connection, "list:1")
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 601)
    door.is_open = False

    await subscribe(connection, frame)

    assert kinds(connection) == [Denied]
    assert len(door.asked) == 1


async def test_a_topic_without_a_rule_stays_open_by_its_ticket(
    connection: Connection, door: Door
) -> None:
    """It has no rule to ask, now or later."""
    await subscribe(connection, wanted(connection, "page:1"))
    connection.authorization.doubt_all()
    await idle(connection)

    assert kinds(connection) == [Subscribed]
    assert list(connection.subscriptions.cursors) == ["page:1"]


async def test_a_ticket_that_leaves_early_without_a_rule_opens_again(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """There is no rule that could grant it later."""
    early = connection_of(Who("1"), hub, kind=Staying)
    await subscribe(early, wanted(early, "page:1"))
    await early.let_go()

    await subscribe(connection, wanted(connection, "page:1"))

    assert kinds(connection) == [Subscribed]


@override_settings(REALTIME={"RULE_TIMEOUT": 0.05})
@pytest.mark.parametrize("fails", ["raises", "hangs"])
async def test_a_rule_that_fails_twice_after_a_ticket_revokes(
    connection: Connection, door: Door, fails: str
) -> None:
    """It fails closed."""
    if fails == "raises":
        door.is_open = RuntimeError("no database")
    else:
        door.may_answer.clear()
    await subscribe(connection, wanted(connection, "list:1"))

    await until(lambda: Revoked in kinds(connection))
    assert len(door.asked) == 2
    frames_of(connection).clear()
    await subscribe(connection, wanted(connection, "list:1"))
    assert kinds(connection) == [Denied]


async def test_a_rule_that_fails_once_after_a_ticket_revokes_nothing(
    connection: Connection, door: Door
) -> None:
    """The second answer counts."""
    door.is_open = RuntimeError("no database")
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: door.asked)
    door.is_open = True

    await idle(connection)
    assert kinds(connection) == [Subscribed]
    assert len(door.asked) == 2


async def test_dependencies_are_watched_before_the_answer_after_a_ticket_counts(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """A change while the rule is asked holds the topic, and the rule is asked again."""
    door.may_answer.clear()
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: door.asked)
    assert "members:1" in hub._subscribers.topics()

    send(hub, Message("members:1", ROW), Message("list:1", ROW))
    await until(lambda: "list:1" in connection.mailbox._holds)
    assert connection.mailbox.take_now() == []
    door.is_open = False
    door.may_answer.set()

    await until(lambda: Revoked in kinds(connection))
    assert connection.mailbox.take_now() == []


async def test_a_doubt_that_comes_while_the_rule_is_asked_behind_a_ticket_is_settled(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """The rule is asked once more, and what was held goes out."""
    door.may_answer.clear()
    await subscribe(connection, wanted(connection, "list:1"))
    await until(lambda: door.asked)
    send(hub, Message("members:1", ROW), Message("list:1", ROW))
    await until(lambda: "list:1" in connection.mailbox._holds)
    door.may_answer.set()

    (message,) = await asyncio.wait_for(connection.mailbox.take(), PATIENCE)
    assert message.changes == ROW
    assert len(door.asked) == 2
    await until(lambda: connection.subscriptions.unsettled(Topic("list:1")) is None)


async def test_a_ticket_that_comes_while_the_rule_is_asked_again_has_it_asked_behind(
    connection: Connection, hub: Hub, door: Door
) -> None:
    """The doubt goes on holding until it is settled."""
    await subscribe(connection, Subscribe([Wanted("list:1")]))
    door.may_answer.clear()
    connection.authorization.doubt([Topic("list:1")])
    await until(lambda: len(door.asked) == 2)

    await asyncio.wait_for(subscribe(connection, wanted(connection, "list:1")), PATIENCE)
    assert "list:1" in connection.mailbox._holds
    door.may_answer.set()

    await until(lambda: len(door.asked) == 3)
    await until(lambda: connection.subscriptions.unsettled(Topic("list:1")) is None)
    assert not connection.mailbox._holds


async def test_held_topics_do_not_wait_for_the_queue_of_tickets(
    connection: Connection, door: Door
) -> None:
    """The task for held topics asks their rules at once."""
    async with every_turn(connection.hub):
        await subscribe(connection, wanted(connection, "list:1"))
        door.is_open = False
        connection.authorization.doubt([Topic("list:1")])

        await until(lambda: Revoked in kinds(connection))


async def test_a_frame_with_tickets_for_some_topics_serves_those_first(
    connection: Connection, door: Door
) -> None:
    """The rules of the others do not delay topics opened by ticket."""
    door.may_answer.clear()
    frame = Subscribe([Wanted("list:2"), *wanted(connection, "list:1").subscriptions])
    asking = asyncio.create_task(subscribe(connection, frame))

    await until(lambda: frames_of(connection))
    (subscribed,) = frames_of(connection)
    assert isinstance(subscribed, Subscribed)
    assert list(subscribed.topics) == ["list:1"]
    door.may_answer.set()
    await asyncio.wait_for(asking, PATIENCE)
    assert list(connection.subscriptions.cursors) == ["list:1", "list:2"]


class every_turn:  # noqa: N801 -- a context manager
    """Take every place in the queue of connections with tickets."""

    def __init__(self, hub: Hub) -> None:
        self.turns = ticket_checks_of(hub).turns
        self.count = 0

    async def __aenter__(self) -> None:
        while not self.turns.locked():
            await self.turns.acquire()
            self.count += 1

    async def __aexit__(self, *_: object) -> None:
        for _ in range(self.count):
            self.turns.release()


async def test_a_reconnect_storm_asks_no_rule_before_it_serves(hub: Hub) -> None:
    """All reconnect with cursors and tickets, and receive the messages they missed."""
    asked: Counter[str] = Counter()
    served: set[str] = set()
    too_early: list[str] = []

    @allow("list")
    def may(user: Who, key: str) -> bool:
        asked[user.pk] += 1
        if user.pk not in served:
            too_early.append(user.pk)
        return int(user.pk) % 5 > 0

    cursor = str(await hub.subscribe(connection_of(None, hub).mailbox, Topic("list:1")))
    send(hub, Message("list:1", ROW))
    storm = [connection_of(Who(str(n)), hub, kind=Staying) for n in range(MANY)]

    async def come_back(each: Connection) -> None:
        await subscribe(each, wanted(each, "list:1", cursor=cursor))
        served.add(each.identity.key)

    async with every_turn(hub):
        await asyncio.gather(*map(come_back, storm))
        assert all(kinds(each) == [Subscribed] for each in storm)
        assert all(each.mailbox.take_now()[0].changes == ROW for each in storm)
        assert not asked
    for each in storm:
        await idle(each)

    # Then each rule is asked once, and each refusal revokes.
    assert not too_early
    assert asked == dict.fromkeys((each.identity.key for each in storm), 1)
    for n, each in enumerate(storm):
        assert kinds(each)[1:] == ([] if n % 5 else [Revoked])
        await each.let_go()


@override_settings(REALTIME={"RULE_TIMEOUT": 60, "RULE_THREADS": 4})
async def test_questions_after_tickets_leave_threads_to_clients_that_wait(hub: Hub) -> None:
    """Half of the threads, however many connections are in the queue."""
    over, inside = threading.Event(), Concurrency()

    @allow("slow")
    def slow(user: Who, key: str) -> bool:
        with inside:
            over.wait()
            return True

    allow("quick")(lambda user, key: True)
    storm = [connection_of(Who(str(n)), hub, kind=Staying) for n in range(10)]
    waits = connection_of(Who("waits"), hub, kind=Staying)
    try:
        for each in storm:
            await subscribe(each, wanted(each, "slow:1"))
        await until(lambda: inside.now == 2)

        asking = subscribe(waits, Subscribe([Wanted("quick:1")]))
        await asyncio.wait_for(asking, PATIENCE)
        assert kinds(waits) == [Subscribed]
        assert inside.most == 2
    finally:
        over.set()
    for each in (*storm, waits):
        await idle(each)
        await each.let_go()
    assert inside.most == 2


class Concurrency:
    """Counts the threads that run a rule at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize("waits_at", ["the turn", "the rule", "the retry"])
async def test_an_end_while_asking_after_a_ticket_gives_the_turn_back(
    hub: Hub, door: Door, waits_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each await; and the hub keeps no subscription."""
    monkeypatch.setattr(authorization, "RETRY", 60)
    leaves = connection_of(Who("1"), hub, kind=Staying)
    door.may_answer.clear()
    if waits_at == "the retry":
        door.may_answer.set()
        door.is_open = RuntimeError("no database")
    reached: Callable[[], Any] = lambda: door.asked  # noqa: E731
    if waits_at == "the turn":
        async with every_turn(hub):
            await subscribe(leaves, wanted(leaves, "list:1"))
            await asyncio.sleep(0)
            await asyncio.wait_for(leaves.let_go(), PATIENCE)
        assert not door.asked
    else:
        await subscribe(leaves, wanted(leaves, "list:1"))
        await until(reached)
        await asyncio.wait_for(leaves.let_go(), PATIENCE)

    assert ticket_checks_of(hub).turns._value == 2
    assert not hub._subscribers.wanted()
    assert not leaves.subscriptions._unsettled
    assert ticket_checks_of(hub).refusals.may_include(leaves.identity, "list:1")
