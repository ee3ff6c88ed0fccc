"""`depends`: the topics on which an answer depends, and the effects of their changes."""

from __future__ import annotations

import asyncio

import pytest
from django.test import override_settings

from realtime import Message, Topic
from realtime.access import allow
from realtime.connections.connection import Connection
from realtime.connections.dependencies import MOST_ROUNDS
from realtime.hub.hub import Hub
from realtime.protocol import Revoked
from tests.realtime.access.conftest import PATIENCE, Stuck, send, until
from tests.realtime.transports import frames_of

ROW = {"a.b": {"1": "left"}}


class Club:
    """A rule by members, which counts how often it is asked."""

    def __init__(self) -> None:
        self.is_open = True
        self.asked = 0

    def may(self, user: object, key: str) -> bool:
        self.asked += 1
        return self.is_open


@pytest.fixture
def club() -> Club:
    return Club()


async def watch(connection: Connection, *topics: str) -> list[str]:
    """Request topics as a transport does; return those that are granted."""
    granted = await connection.authorization.ask(dict.fromkeys(topics, ()))
    for topic in granted:
        await connection.hub.subscribe(connection.mailbox, topic)
        subscription = connection.subscriptions.unsettled(topic)
        assert subscription is not None
        connection.subscriptions.confirm(topic, subscription)
    return [str(topic) for topic in granted]


async def as_async(user: object, key: str) -> list[str]:
    return [f"members:{key}"]


@pytest.mark.parametrize("depends", [lambda user, key: (f"members:{key}",), as_async])
@pytest.mark.parametrize("message", [{"changes": ROW}, {"reset": "bulk"}])
async def test_a_change_of_a_dependency_revokes(
    connection: Connection, hub: Hub, club: Club, depends: object, message: dict[str, object]
) -> None:
    """The client receives `revoked`, and the dependency is removed."""
    allow("list", depends=depends)(club.may)  # type: ignore[arg-type]
    assert await watch(connection, "list:1", "list:2") == ["list:1", "list:2"]

    club.is_open = False
    send(hub, Message("members:1", **message))  # type: ignore[arg-type]

    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]
    assert set(hub._subscribers.topics()) == {"list:2", "members:2"}


async def test_a_reset_of_the_dependencys_family_revokes(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """A bulk write causes such a reset."""
    allow("list", depends=lambda user, key: [f"members:{key}"])(club.may)
    await watch(connection, "list:1")

    club.is_open = False
    send(hub, Message("members:", reset="bulk"))

    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]


async def test_a_user_who_still_may_receives_all_messages_and_no_frame(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """Messages that arrived while the rule was asked are sent after its answer."""
    allow("list", depends=lambda user, key: [f"members:{key}"])(club.may)
    await watch(connection, "list:1")

    send(hub, Message("members:1", ROW), Message("list:1", ROW))
    (message,) = await asyncio.wait_for(connection.mailbox.take(), PATIENCE)

    assert message.changes == ROW
    assert club.asked == 2
    assert frames_of(connection) == []


async def test_a_message_without_changes_asks_no_rule(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """Else each refresh of cursors would ask all rules of a process at once."""
    allow("list", depends=lambda user, key: [f"members:{key}"])(club.may)
    await watch(connection, "list:1")

    send(hub, Message("members:1"), Message("list:1", ROW))
    await asyncio.wait_for(connection.mailbox.take(), PATIENCE)

    assert club.asked == 1


async def test_dependencies_are_found_anew(connection: Connection, hub: Hub, club: Club) -> None:
    """They may depend on data too: here, a list moves to another team."""
    team = "red"
    allow("list", depends=lambda user, key: [f"list:{key}", f"team:{team}"])(club.may)
    await watch(connection, "list:1")

    team = "blue"
    send(hub, Message("list:1", ROW))
    await until(lambda: "team:blue" in hub._subscribers.topics())
    await until(lambda: "team:red" not in hub._subscribers.topics())
    club.is_open = False
    send(hub, Message("team:blue", ROW))

    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]


async def test_dependencies_that_change_before_they_are_watched_are_noticed(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """A change before that sends no message here, so `depends` is asked again."""
    teams = iter(["red", "blue", "blue"])
    allow("list", depends=lambda user, key: [f"list:{key}", f"team:{next(teams)}"])(club.may)

    await watch(connection, "list:1")

    assert set(hub._subscribers.topics()) == {"list:1", "team:blue"}


async def test_dependencies_that_always_differ_are_asked_some_times(
    connection: Connection, club: Club
) -> None:
    """The number of calls is bounded."""
    asked: list[str] = []

    def restless(user: object, key: str) -> list[str]:
        asked.append(key)
        return [f"team:{len(asked)}"]

    allow("list", depends=restless)(club.may)

    assert await asyncio.wait_for(watch(connection, "list:1"), PATIENCE) == ["list:1"]
    assert len(asked) == MOST_ROUNDS


async def test_dependencies_of_a_frame_are_asked_in_one_hop(
    connection: Connection, hops: list[object], club: Club
) -> None:
    """In a second hop once they are watched, since they may have changed; rules in a third."""
    allow("list", depends=lambda user, key: [f"members:{key}"])(club.may)

    assert len(await watch(connection, *(f"list:{key}" for key in range(20)))) == 20

    assert len(hops) == 3


def raises(user: object, key: str) -> list[str]:
    raise RuntimeError("no idea")


@pytest.mark.parametrize(
    "depends",
    [
        raises,
        lambda user, key: ["members:"],  # a bare family
        lambda user, key: [5],
        lambda user, key: ["no topic"],
        lambda user, key: "members:1",  # its letters are no topics
        lambda user, key: None,
        lambda user: ["members:1"],
        lambda user, key: as_async(user, key),  # never awaited
    ],
)
async def test_a_dependency_that_cannot_be_watched_denies(
    connection: Connection,
    hub: Hub,
    club: Club,
    depends: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a log. Its changes could not revoke, so the rule is not even asked."""
    allow("list", depends=depends)(club.may)  # type: ignore[arg-type]
    allow("name")(lambda user, key: True)

    assert await watch(connection, "list:1", "name:1") == ["name:1"]

    assert club.asked == 0
    assert "on what list:1 depends is not known; the answer is no" in caplog.text
    assert hub._subscribers.topics() == ("name:1",)


@override_settings(REALTIME={"RULE_TIMEOUT": 0.5})
async def test_dependencies_have_a_deadline(
    connection: Connection, club: Club, stuck: Stuck
) -> None:
    """In a thread, or on the event loop."""

    async def hangs(user: object, key: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    allow("list", depends=stuck)(club.may)
    allow("name", depends=hangs)(club.may)
    allow("good", depends=lambda user, key: [])(club.may)

    granted = await asyncio.wait_for(watch(connection, "name:1", "list:1", "good:1"), PATIENCE)

    assert granted == ["good:1"]


async def test_a_change_while_the_rule_runs_has_it_asked_again(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """Its answer may be older than the change."""

    @allow("list", depends=lambda user, key: [f"members:{key}"])
    async def may(user: object, key: str) -> bool:
        answer = club.may(user, key)
        if club.asked == 1:
            club.is_open = False
            send(hub, Message(f"members:{key}", ROW))
            await until(lambda: connection.subscriptions.unsettled(Topic(f"list:{key}")).doubt)
        return answer

    assert await watch(connection, "list:1") == ["list:1"]

    await until(lambda: frames_of(connection))
    assert frames_of(connection) == [Revoked(["list:1"])]


async def test_a_refused_topic_depends_on_nothing(
    connection: Connection, hub: Hub, club: Club
) -> None:
    """The hub keeps no dependency of it."""
    allow("list", depends=lambda user, key: [f"members:{key}"])(club.may)
    club.is_open = False

    assert await watch(connection, "list:1") == []

    assert not hub._subscribers.wanted()


async def test_an_end_while_dependencies_are_watched_leaves_nothing(
    fake_hub: Hub, club: Club, connection: Connection
) -> None:
    """At any step: the backend has not confirmed yet."""
    connection.hub = fake_hub
    await fake_hub._connection()
    upstream = fake_hub._pubsub.current  # type: ignore[attr-defined]
    upstream.watch_may_return.clear()
    allow("list", depends=lambda user, key: [f"members:{key}", "members:all"])(club.may)
    asking = asyncio.create_task(watch(connection, "list:1"))
    await asyncio.wait_for(upstream.watching.wait(), PATIENCE)

    asking.cancel()
    await connection.let_go()
    await asyncio.gather(asking, return_exceptions=True)

    assert not fake_hub._subscribers.wanted()
    assert Topic("list:1") not in connection.subscriptions.cursors
