"""Authorization: subscriptions in doubt are held, and then kept or revoked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import override_settings

from realtime import Message, Topic
from realtime.access import allow
from realtime.access.identity import Identity
from realtime.connections import authorization as grants
from realtime.connections.connection import Connection
from realtime.connections.subscribe import subscribe
from realtime.hub.hub import Hub
from realtime.protocol import CloseCode, Denied, Revoked, Subscribe, Wanted
from tests.realtime.access.conftest import ADA, PATIENCE, Who, send, until
from tests.realtime.access.test_depends import ROW, Club, watch
from tests.realtime.transports import FakeTransport, frames_of


@pytest.fixture
def club() -> Club:
    found = Club()
    allow("list", depends=lambda user, key: [f"members:{key}"])(found.may)
    return found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask rules that failed again at once."""
    monkeypatch.setattr(grants, "RETRY", 0.01)


def transport_of(connection: Connection) -> FakeTransport:
    assert isinstance(connection.transport, FakeTransport)
    return connection.transport


def in_doubt_twice(connection: Connection, topic: str) -> bool:
    """Return whether the rule is being asked, and must be asked once more."""
    found = connection.subscriptions.unsettled(Topic(topic))
    return found is not None and bool(found.question) and bool(found.doubt)


async def settled(connection: Connection) -> None:
    """Wait until no subscription is in doubt."""
    await until(lambda: not connection.authorization._asks)


async def test_a_topic_in_doubt_is_held_and_others_are_not(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """From the moment of the doubt; messages that wait already are held too."""
    await watch(connection, "list:1", "list:2")
    connection.mailbox.put(Message("list:1", ROW))

    connection.authorization.doubt([Topic("list:1")])
    connection.mailbox.put(Message("list:2", ROW))

    assert [m.topic for m in connection.mailbox.take_now()] == ["list:2"]
    await settled(connection)
    assert [m.topic for m in connection.mailbox.take_now()] == ["list:1"]


async def test_a_yes_from_before_a_revocation_opens_nothing(
    connection: Connection, hub: Hub
) -> None:
    """The client asks again for its topic; the change comes while the rule still runs."""
    is_member, is_slow, may_answer = True, False, asyncio.Event()
    slow_ones = []

    @allow("room", depends=lambda user, key: [f"members:{key}"])
    async def may(user: object, key: str) -> bool:
        answer = is_member
        if is_slow:
            slow_ones.append(key)
            await may_answer.wait()
        return answer

    frame = Subscribe([Wanted("room:1")])
    await subscribe(connection, frame)
    is_slow = True
    again = asyncio.create_task(subscribe(connection, frame))
    await until(lambda: slow_ones)
    is_member = is_slow = False
    send(hub, Message("members:1", ROW))
    await until(lambda: Revoked(["room:1"]) in frames_of(connection))

    may_answer.set()
    await asyncio.wait_for(again, PATIENCE)
    send(hub, Message("room:1", ROW))
    await settled(connection)

    assert not connection.subscriptions.cursors
    assert isinstance(frames_of(connection)[-1], Denied | Revoked)
    assert not connection.mailbox.take_now()
    assert not hub._subscribers.topics()


async def test_two_doubts_at_once_are_two_questions_and_one_release(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """The second change may have come after the rule's reads."""
    await watch(connection, "list:1")
    gate = asyncio.Event()
    asked = []

    async def slow(user: object, topics: object) -> Any:
        asked.append(topics)
        await gate.wait()
        return await ask_all(user, topics)  # type: ignore[arg-type]

    ask_all = grants.ask_all
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grants, "ask_all", slow)
        send(hub, Message("members:1", ROW))
        await until(lambda: asked)
        send(hub, Message("members:1", ROW), Message("list:1", ROW))
        await until(lambda: in_doubt_twice(connection, "list:1"))
        gate.set()
        await settled(connection)

    assert len(asked) == 2
    assert len(connection.mailbox.take_now()) == 1
    assert not connection.mailbox._holds


async def test_unsubscribing_while_asked_sends_no_revoked(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """An older answer does not release a new subscription to the topic."""
    await watch(connection, "list:1")
    club.is_open = False
    connection.authorization.doubt(list(connection.subscriptions.cursors))

    await connection.unsubscribe(list(connection.subscriptions.cursors))
    await settled(connection)

    assert frames_of(connection) == []
    assert not hub._subscribers.wanted()
    assert not connection.mailbox._holds


async def test_a_rule_that_fails_once_revokes_nothing(connection: Connection, hub: Hub) -> None:
    """It is asked once more."""
    answers = iter([True, RuntimeError("no database"), True])

    @allow("list", depends=lambda user, key: [f"members:{key}"])
    def may(user: object, key: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await watch(connection, "list:1")
    send(hub, Message("members:1", ROW), Message("list:1", ROW))
    await asyncio.wait_for(connection.mailbox.take(), PATIENCE)

    assert frames_of(connection) == []


async def test_a_rule_that_fails_again_revokes_and_those_that_say_no_do_so_first(
    connection: Connection, hub: Hub, club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clear no does not wait for the second attempt of another rule."""
    monkeypatch.setattr(grants, "RETRY", 0.2)
    fails = False

    @allow("name", depends=lambda user, key: [f"members:{key}"])
    def may(user: object, key: str) -> bool:
        if fails:
            raise RuntimeError("no database")
        return True

    await watch(connection, "name:1", "list:1")
    club.is_open, fails = False, True
    send(hub, Message("members:1", ROW))

    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]
    await until(lambda: len(frames_of(connection)) > 1)
    assert frames_of(connection)[1:] == [Revoked(["name:1"])]


async def test_the_recheck_revokes_by_a_no_and_not_by_a_failure(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """No change is known: an outage of the database must not revoke all subscriptions."""

    @allow("name")
    def fails(user: object, key: str) -> bool:
        if not club.is_open:
            raise RuntimeError("no database")
        return True

    await watch(connection, "name:1", "list:1")
    club.is_open = False
    connection.authorization.doubt_all(strict=False)

    await settled(connection)
    assert frames_of(connection) == [Revoked(["list:1"])]


async def test_a_topic_opened_by_ticket_stays(connection: Connection, hub: Hub) -> None:
    """It has no rule to ask, so it stays as long as the user may be connected."""
    connection.subscriptions.cursors[Topic("page:1")] = None

    connection.authorization.doubt_all()
    await settled(connection)

    assert list(connection.subscriptions.cursors) == ["page:1"]
    assert transport_of(connection).closed is None


async def test_a_user_who_may_not_connect_any_longer_is_closed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without subscriptions."""

    async def nobody(scope: object) -> Identity:
        return Identity({}, None, "")

    monkeypatch.setattr("realtime.access.identity.identify", nobody)
    connection.authorization.doubt_all()

    await settled(connection)
    assert transport_of(connection).closed is CloseCode.NOT_AUTHENTICATED


@pytest.mark.parametrize("error", [RuntimeError("down"), TimeoutError(), ConnectionError()])
async def test_a_user_who_cannot_be_loaded_ends_the_connection(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """After a second attempt. Else its topics would be held for ever, unknown to the client."""

    async def fail(scope: object) -> Identity:
        raise error

    monkeypatch.setattr("realtime.access.identity.identify", fail)
    connection.authorization.doubt_all()

    await settled(connection)
    assert transport_of(connection).failed is error


async def test_a_recheck_that_cannot_load_the_user_ends_no_connection(
    connection: Connection, club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next recheck tries again."""

    async def fail(scope: object) -> Identity:
        raise RuntimeError("no database")

    await watch(connection, "list:1")
    monkeypatch.setattr("realtime.access.identity.identify", fail)
    connection.authorization.doubt_all(strict=False)

    await settled(connection)
    assert transport_of(connection).failed is transport_of(connection).closed is None
    assert not connection.mailbox._holds


async def test_a_user_who_changes_while_a_rule_runs_has_it_asked_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule was asked about the user before the change."""
    asked = asyncio.Event()
    go_on = asyncio.Event()

    @allow("list")
    async def may(user: Who, key: str) -> bool:
        asked.set()
        await go_on.wait()
        return user.is_staff

    async def as_she_is(scope: object) -> Identity:
        return Identity({}, Who(is_staff=False), "")

    connection.identity.user = Who(is_staff=True)
    monkeypatch.setattr("realtime.access.identity.identify", as_she_is)
    watching = asyncio.create_task(watch(connection, "list:1"))
    await asyncio.wait_for(asked.wait(), PATIENCE)
    connection.authorization.doubt_all()
    go_on.set()

    await watching
    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]
    connection.identity.user = ADA


async def test_a_subscription_refused_when_requested_again_ends(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """The client receives `denied`, and no message of the topic after it."""
    await watch(connection, "list:1")
    club.is_open = False

    assert await watch(connection, "list:1") == []

    assert not connection.subscriptions.cursors
    assert not hub._subscribers.wanted()


@override_settings(REALTIME={"HEARTBEAT": 0.02, "RECHECK": 0.1})
async def test_all_is_rechecked_within_recheck(
    connection: Connection, club: Club, hub: Hub
) -> None:
    """By the heartbeat that serves all connections."""
    from realtime.connections.heartbeat import Heartbeat

    heart = Heartbeat()
    await watch(connection, "list:1")
    club.is_open = False
    heart.add(connection)

    await until(lambda: frames_of(connection))
    heart.remove(connection)
    assert frames_of(connection) == [Revoked(["list:1"])]
