"""One connection through any order of events: allowed messages, and cleanup at its end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime import Message, Topic
from realtime.access import allow, rules
from realtime.access.tickets import sign
from realtime.conf import conf
from realtime.connections import authorization
from realtime.connections import subscribe as subscribe_module
from realtime.connections.connection import Connection
from realtime.connections.subscribe import subscribe, unsubscribe
from realtime.hub import hub as hub_module
from realtime.hub import observers
from realtime.hub.hub import Hub
from realtime.protocol import (
    CloseCode,
    Denied,
    Frame,
    Revoked,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Wanted,
)
from tests.realtime.access.conftest import PATIENCE, Who
from tests.realtime.fakes import FakePubSub
from tests.realtime.transports import FakeTransport, Staying, ticket_checks_of

TOPICS = [Topic("list:1"), Topic("list:2")]
ROW = {"a.b": {"1": "updated"}}

topics = st.sampled_from(TOPICS)
asks = st.tuples(st.just("subscribe"), topics, st.booleans(), st.booleans())
steps = st.one_of(
    asks,
    asks,
    st.tuples(st.just("unsubscribe"), topics),
    st.tuples(st.just("say"), topics),
    st.tuples(st.just("depend"), topics),
    st.tuples(st.just("answer"), topics, st.sampled_from(["yes", "no", "fail"])),
    st.tuples(st.just("net")),
    st.tuples(st.just("confirmations"), st.booleans()),
    st.tuples(st.just("lose")),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 20])),
)


class Client(FakeTransport):
    """Records each frame and message in order, and those that break the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: Connection
        self.live: set[str] = set()
        self.heard: dict[str, int] = {}
        self.wrong: list[str] = []

    async def send(self, frame: Frame) -> None:
        # The writer sends frames before waiting messages.
        self.frames.append(frame)
        if isinstance(frame, Subscribed):
            self.live.update(frame.topics)
        elif isinstance(frame, Revoked | Denied):
            if isinstance(frame, Revoked) and not self.live.issuperset(frame.topics):
                self.wrong.append(f"{frame} of what was never subscribed")
            self.live.difference_update(frame.topics)

    def wake(self) -> None:
        # In a later turn of the loop, like the flush queue.
        asyncio.get_running_loop().call_soon(self.drain)

    def drain(self) -> None:
        for message in self.connection.mailbox.take_now():
            self.heard[message.topic] = self.heard.get(message.topic, 0) + 1
            if message.topic not in self.live:
                self.wrong.append(f"{message} while not subscribed")


class World:
    """A hub, a backend whose steps the test holds up, rules that change, and one client."""

    def __init__(self) -> None:
        self.pubsub = FakePubSub(yields=2)
        self.hub = Hub(self.pubsub)
        self.answers = dict.fromkeys((topic.key for topic in TOPICS), "yes")
        self.client = Client()
        who = Staying({}, Who("1"), "")
        self.connection = self.client.connection = Connection(
            who, self.hub, self.client, ticket_checks_of(self.hub)
        )
        self.handling: asyncio.Task[None] | None = None
        self.queue: list[tuple[Any, ...]] = []

        @allow("list", depends=lambda user, key: [f"members:{key}"])
        async def may(user: object, key: str) -> bool:
            await asyncio.sleep(0)
            answer = self.answers[key]
            if answer == "fail":
                raise RuntimeError("no database")
            return answer == "yes"

    async def run(self, script: list[tuple[Any, ...]]) -> None:
        await self.hub._connection()
        for name, *arguments in script:
            await getattr(self, name)(*arguments)
            await asyncio.sleep(0)

    async def subscribe(self, topic: Topic, has_ticket: bool, has_cursor: bool) -> None:
        ticket = sign(topic, "1", "") if has_ticket else None
        cursor = str(self.pubsub.position()) if has_cursor else None
        self._handle(subscribe, Subscribe([Wanted(topic, cursor, ticket)]))

    async def unsubscribe(self, topic: Topic) -> None:
        self._handle(self._give_up, topic)

    async def _give_up(self, connection: Connection, topic: Topic) -> None:
        self.client.drain()
        self.client.live.discard(topic)
        await unsubscribe(connection, Unsubscribe([topic]))

    def _handle(self, handler: Any, frame: Any) -> None:
        """Handle a client's frames one after another, as a transport does."""
        self.queue.append((handler, frame))
        if self.handling is None:
            self.handling = asyncio.create_task(self._handle_all())

    async def _handle_all(self) -> None:
        while self.queue:
            handler, frame = self.queue.pop(0)
            await handler(self.connection, frame)
        self.handling = None

    async def say(self, topic: Topic) -> None:
        self.pubsub.current.say(Message(topic, ROW))

    async def depend(self, topic: Topic) -> None:
        self.pubsub.current.say(Message(f"members:{topic.key}", ROW))

    async def answer(self, topic: Topic, what: str) -> None:
        self.answers[topic.key] = what

    async def net(self) -> None:
        self.connection.authorization.doubt_all(strict=False)

    async def confirmations(self, may_come: bool) -> None:
        flag = self.pubsub.current.watch_may_return
        (flag.set if may_come else flag.clear)()

    async def lose(self) -> None:
        """Lose the backend, with the messages on their way."""
        lost = self.pubsub.current
        lost.watch_may_return.set()
        lost.break_with(ConnectionError("lost"))
        async with asyncio.timeout(PATIENCE):
            while self.pubsub.current is lost or not self.hub.is_connected:
                await asyncio.sleep(0)

    async def wait(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let every rule answer and every topic be confirmed."""
        self.pubsub.current.watch_may_return.set()
        grants, found = self.connection.authorization, self.connection.subscriptions
        async with asyncio.timeout(PATIENCE):
            while self.handling or grants._asks or grants._asks_behind or found._unsettled:
                await asyncio.sleep(0.001)
        self.client.drain()

    async def leave(self) -> None:
        """End as a transport does, and cancel the handler at its present await."""
        if self.handling is not None:
            self.handling.cancel()
        await asyncio.wait_for(self.connection.let_go(), PATIENCE)
        if self.handling is not None:
            await asyncio.gather(self.handling, return_exceptions=True)
        self.client.drain()

    def left_behind(self) -> dict[str, object]:
        found = self.connection.subscriptions
        return {
            "hub": set(self.hub._subscribers.wanted()),
            "held": dict(self.connection.mailbox._holds),
            "waiting": len(self.connection.mailbox),
            "subscriptions": {**found.cursors, **found._unsettled},
            "dependencies": dict(self.connection.authorization._dependencies._topics),
            "tasks": list(self.connection._tasks),
        }


@pytest.fixture(scope="module", autouse=True)
def fast() -> Any:
    """No pauses, no rules but those of the test, no logs of intended failures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_rules", {})
        patch.setattr(observers, "_observers", [])
        patch.setattr(authorization, "RETRY", 0.0)
        patch.setattr(subscribe_module, "CONFIRM_TIMEOUT", 0.001)
        patch.setattr(hub_module, "FIRST_PAUSE", 0.0)
        patch.setattr(hub_module, "LONGEST_PAUSE", 0.001)
        patch.setitem(conf.__dict__, "LINGER", 0)
        logging.disable(logging.CRITICAL)
        yield
        logging.disable(logging.NOTSET)


async def live_through(script: list[tuple[Any, ...]], *, ends_midway: bool) -> None:
    rules._rules.clear()
    world = World()
    try:
        await world.run(script)
        if not ends_midway:
            await world.settle()
            await all_is_as_the_client_was_told(world)
        await world.leave()
        assert world.client.wrong == []
        assert world.client.failed is world.client.closed is None
        assert not any(world.left_behind().values()), world.left_behind()
    finally:
        await world.hub.close()


async def all_is_as_the_client_was_told(world: World) -> None:
    """Return whether the client receives messages of exactly its confirmed topics."""
    client, found = world.client, world.connection.subscriptions
    assert client.live == set(found.cursors)
    assert not world.connection.mailbox._holds
    client.heard.clear()
    world.pubsub.current.say(*(Message(topic, ROW) for topic in TOPICS))
    async with asyncio.timeout(PATIENCE):
        while client.heard.keys() < client.live:
            await asyncio.sleep(0)
    assert client.heard.keys() == client.live


scripts = st.lists(steps, min_size=1, max_size=25)
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@quietly
@given(script=scripts)
def test_a_client_receives_exactly_its_subscribed_topics(
    script: list[tuple[Any, ...]],
) -> None:
    """In whatever order rules, the backend and the client act."""
    asyncio.run(live_through(script, ends_midway=False))


@quietly
@given(script=scripts)
def test_an_end_at_any_moment_leaves_nothing(script: list[tuple[Any, ...]]) -> None:
    """Tasks are cancelled at any of their awaits."""
    asyncio.run(live_through(script, ends_midway=True))


@pytest.mark.parametrize("has_ticket", [False, True])
@pytest.mark.parametrize("dies_after", range(40))
def test_a_handler_that_is_cancelled_leaves_nothing_once_its_connection_has_ended(
    dies_after: int, has_ticket: bool
) -> None:
    """At each of its awaits. Topics that were only asked for are gone at once."""

    async def run() -> None:
        rules._rules.clear()
        world = World()
        await world.hub._connection()
        await world.subscribe(TOPICS[0], has_ticket, True)
        await world.wait(dies_after)
        if world.handling is not None:
            world.handling.cancel()
            await asyncio.gather(world.handling, return_exceptions=True)
        states = {topic: world.connection.subscriptions.state(topic) for topic in TOPICS}
        assert "asked" not in {state.value for state in states.values() if state}
        await world.leave()
        assert not any(world.left_behind().values()), world.left_behind()
        await world.hub.close()

    asyncio.run(run())


def test_a_frame_of_an_unsubscribed_topic_is_noticed() -> None:
    """The fake client records it as wrong; so the tests above can fail."""

    async def run() -> None:
        world = World()
        world.connection.mailbox.put(Message(TOPICS[0], ROW))
        world.client.drain()
        await world.client.send(Revoked([TOPICS[1]]))
        assert len(world.client.wrong) == 2
        await world.client.close(CloseCode.REFUSED)
        await world.connection.let_go()

    asyncio.run(run())
