"""The hub: fan-out, and what it does when the backend fails it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from realtime import hub as hub_module
from realtime.backends.memory import MemoryPubSub
from realtime.cursors import Cursor
from realtime.exceptions import UpstreamLost
from realtime.hub import Hub, close_hub, get_hub
from realtime.mailbox import Mailbox
from realtime.messages import Message, Reset
from realtime.topics import Topic
from tests.realtime.fakes import FakePubSub

LIST, OTHER, FAMILY = Topic("list:5"), Topic("list:6"), Topic("list:")
SENTINEL = Topic("sentinel:1")
PATIENCE = 5.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that was lost is tried again at once."""
    monkeypatch.setattr(hub_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(hub_module, "LONGEST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Losses are logged, as they should be."""
    caplog.set_level(logging.CRITICAL + 1, "realtime.hub")


@asynccontextmanager
async def running(pubsub: FakePubSub) -> AsyncIterator[Hub]:
    hub = Hub(pubsub)
    try:
        yield hub
    finally:
        await within(hub.close())


async def within(what):
    return await asyncio.wait_for(what, PATIENCE)


def mailbox() -> Mailbox:
    return Mailbox(1_000)


async def taken(box: Mailbox) -> list[Message]:
    return await within(box.take())


async def taken_until(box: Mailbox, topic: Topic) -> list[Message]:
    """Return all that comes up to a message of `topic`."""
    found: list[Message] = []
    while not any(message.topic == topic for message in found):
        found += await taken(box)
    return found


def send(pubsub: MemoryPubSub, *messages: Message) -> None:
    pubsub.prepare(messages, "default")()


def row(topic: Topic, pk: object) -> Message:
    return Message(topic, {"shop.order": {str(pk): "updated"}})


async def say_and_hear(pubsub: FakePubSub, box: Mailbox, message: Message) -> None:
    """Say something, and wait until its rows have come, alone or merged with others."""
    pubsub.current.say(message)
    due = set(message.changes["shop.order"])
    while due:
        for told in await taken(box):
            due -= set(told.changes["shop.order"])


# -- fan-out ---------------------------------------------------------------------------------


async def test_a_message_reaches_every_mailbox_of_its_topic(hub: Hub, pubsub: MemoryPubSub) -> None:
    """And those of other topics hear nothing."""
    one, two, other = mailbox(), mailbox(), mailbox()
    await hub.subscribe(one, LIST)
    await hub.subscribe(two, LIST)
    await hub.subscribe(other, OTHER)

    send(pubsub, row(LIST, 1), row(OTHER, 2))

    assert [message.topic for message in await taken(one)] == [LIST]
    assert [message.topic for message in await taken(two)] == [LIST]
    assert [message.topic for message in await taken(other)] == [OTHER]


async def test_a_family_reaches_each_subscriber_under_its_own_topic(
    hub: Hub, pubsub: MemoryPubSub
) -> None:
    """A client knows the topics it subscribed to, and no others."""
    one, both = mailbox(), mailbox()
    await hub.subscribe(one, LIST)
    await hub.subscribe(both, LIST)
    await hub.subscribe(both, OTHER)

    send(pubsub, Message(FAMILY, reset=Reset.BULK))

    assert [(message.topic, message.reset) for message in await taken(one)] == [(LIST, "bulk")]
    assert {message.topic for message in await taken(both)} == {LIST, OTHER}


async def test_families_of_objects_are_told_by_model(hub: Hub, pubsub: MemoryPubSub) -> None:
    """`object:shop.order/` speaks for its rows, and for no other model's."""
    box = mailbox()
    await hub.subscribe(box, Topic("object:shop.order/7"))
    await hub.subscribe(box, Topic("object:shop.line/7"))

    send(pubsub, Message("object:shop.order/", reset=Reset.BULK))

    assert [message.topic for message in await taken(box)] == ["object:shop.order/7"]


async def test_what_is_opaque_ends_at_the_hub(hub: Hub, pubsub: MemoryPubSub) -> None:
    """No mailbox, and so no client, ever holds it."""
    box = mailbox()
    await hub.subscribe(box, LIST)

    send(pubsub, Message(LIST, reset="bulk", extra={"secret": 1}))

    assert [message.extra for message in await taken(box)] == [None]


async def test_upstream_is_asked_once_however_many_subscribe() -> None:
    """And let go by the last of them."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        boxes = [mailbox() for _ in range(5)]
        for box in boxes:
            await hub.subscribe(box, LIST)
        for box in boxes[1:]:
            await hub.unsubscribe(box, LIST)
        assert pubsub.current.watched == {LIST, FAMILY}

        await hub.unsubscribe(boxes[0], LIST)

        assert pubsub.current.watched == set()


async def test_a_family_is_watched_until_the_last_of_its_topics_goes() -> None:
    """Other topics of the family still need it."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        await hub.subscribe(box, OTHER)

        await hub.unsubscribe(box, LIST)

        assert pubsub.current.watched == {OTHER, FAMILY}


async def test_unsubscribing_what_is_not_subscribed_does_nothing(hub: Hub) -> None:
    """Neither before anything was, nor of another mailbox's topic."""
    await hub.unsubscribe(mailbox(), LIST)
    await hub.subscribe(mailbox(), LIST)

    await hub.unsubscribe(mailbox(), LIST, OTHER)

    assert hub._subscribers.topics() == (LIST,)


# -- races -----------------------------------------------------------------------------------


@pytest.mark.parametrize("yields", [0, 1, 4])
@pytest.mark.parametrize("tasks", [2, 3, 25])
async def test_concurrent_subscribers_of_one_topic_miss_nothing(yields: int, tasks: int) -> None:
    """Many come and go at once; whoever `subscribe()` returned to hears what is said next."""
    pubsub = FakePubSub(yields)
    chance = random.Random(yields)
    async with running(pubsub) as hub:

        async def come_and_go(number: int) -> None:
            for turn in range(50):
                box = mailbox()
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                await hub.subscribe(box, LIST)
                await say_and_hear(pubsub, box, row(LIST, f"{number}.{turn}"))
                await hub.unsubscribe(box, LIST)

        async with asyncio.TaskGroup() as group:
            for number in range(tasks):
                group.create_task(come_and_go(number))

        assert pubsub.current.watched == set()
        assert not hub._subscribers.wanted()


@pytest.mark.parametrize("yields", [0, 1, 4])
@pytest.mark.parametrize("topics", [2, 3, 10])
async def test_topics_of_one_family_do_not_unwatch_each_others_family(
    yields: int, topics: int
) -> None:
    """One topic's last goes while another's first comes."""
    pubsub = FakePubSub(yields)
    async with running(pubsub) as hub:

        async def come_and_go(topic: Topic) -> None:
            for turn in range(50):
                box = mailbox()
                await hub.subscribe(box, topic)
                await say_and_hear(pubsub, box, row(FAMILY, f"{topic}.{turn}"))
                await hub.unsubscribe(box, topic)

        async with asyncio.TaskGroup() as group:
            for number in range(topics):
                group.create_task(come_and_go(Topic.of("list", number)))

        assert pubsub.current.watched == set()


async def test_a_mailbox_gathers_from_before_the_backend_confirms() -> None:
    """What is said of a topic that others watch already must not fall between."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        first, second = mailbox(), mailbox()
        await hub.subscribe(first, LIST)
        pubsub.current.watch_may_return.clear()
        subscribing = asyncio.create_task(hub.subscribe(second, LIST))
        await within(pubsub.current.watching.wait())
        await asyncio.sleep(0)

        pubsub.current.say(row(LIST, 1))

        assert [message.topic for message in await taken(second)] == [LIST]
        pubsub.current.watch_may_return.set()
        await within(subscribing)


@pytest.mark.parametrize("yields", [0, 3])
@pytest.mark.parametrize("others", [False, True])
async def test_a_subscribe_cancelled_anywhere_leaves_nothing_behind(
    yields: int, others: bool
) -> None:
    """However far it has come, neither the hub nor the backend remember it."""
    for steps in range(40):
        pubsub = FakePubSub(yields)
        async with running(pubsub) as hub:
            if others:
                await hub.subscribe(mailbox(), SENTINEL)
            box = mailbox()
            subscribing = asyncio.create_task(hub.subscribe(box, LIST))
            for _ in range(steps):
                await asyncio.sleep(0)
            subscribing.cancel()
            with suppress(asyncio.CancelledError):
                await within(subscribing)
                await hub.unsubscribe(box, LIST)

            # Whoever comes next sees a hub that is at rest.
            await within(hub.subscribe(mailbox(), SENTINEL))

            assert LIST not in hub._subscribers.wanted()
            assert pubsub.current.watched == {SENTINEL, SENTINEL.family}, f"after {steps} steps"


async def test_who_leaves_while_the_backend_is_away_is_not_watched_for() -> None:
    """The upstream that comes next is asked for what is wanted by then."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box, staying = mailbox(), mailbox()
        await hub.subscribe(box, LIST)
        await hub.subscribe(staying, SENTINEL)
        pubsub.yields = 3
        pubsub.current.break_with(UpstreamLost("gone"))
        while len(pubsub.upstreams) < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

        await hub.unsubscribe(box, LIST)

        assert [message.reset for message in await taken(staying)] == [Reset.BACKEND_RESTART]
        assert pubsub.current.watched == {SENTINEL, SENTINEL.family}


# -- when the backend is lost ----------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [UpstreamLost("gone"), RuntimeError("a bug"), OSError(), asyncio.CancelledError()],
    ids=repr,
)
async def test_a_lost_upstream_resets_everybody(error: BaseException) -> None:
    """With a cursor of the next one; what is said from then on comes as before."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        one, two = mailbox(), mailbox()
        await hub.subscribe(one, LIST)
        await hub.subscribe(two, OTHER)

        pubsub.current.break_with(error)

        for box, topic in ((one, LIST), (two, OTHER)):
            (message,) = await taken(box)
            assert (message.topic, message.reset) == (topic, Reset.BACKEND_RESTART)
            assert message.cursor == Cursor("fake-1", "0")
        assert pubsub.upstreams[0].closed
        pubsub.current.say(row(LIST, 1), Message(FAMILY, reset="bulk"))
        assert [message.topic for message in await taken_until(one, LIST)] == [LIST]
        assert [message.reset for message in await taken(two)] == ["bulk"]


async def test_a_backend_that_is_lost_again_and_again_ends_in_a_reset_each_time() -> None:
    """There is no last try."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)

        for number in range(1, 6):
            pubsub.fail = [OSError("still away"), None]
            pubsub.current.break_with(UpstreamLost("gone"))

            (message,) = await taken(box)
            assert message.cursor == Cursor(f"fake-{number}", "0")


async def test_a_backend_that_is_away_at_first_is_waited_for() -> None:
    """`subscribe()` returns when it is there."""
    pubsub = FakePubSub()
    pubsub.fail = [OSError("away"), UpstreamLost("away"), OSError("away")]
    async with running(pubsub) as hub:
        box = mailbox()

        await within(hub.subscribe(box, LIST))

        pubsub.current.say(row(LIST, 1))
        assert [message.topic for message in await taken(box)] == [LIST]


async def test_an_upstream_that_breaks_at_its_first_watch_is_replaced() -> None:
    """A subscriber waits for the next."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, SENTINEL)
        pubsub.current.fail_watch = [UpstreamLost("gone")]
        subscribing = asyncio.create_task(hub.subscribe(box, LIST))
        await asyncio.sleep(0)

        pubsub.current.break_with(UpstreamLost("gone"))

        assert (await within(subscribing)).epoch == "fake-1"
        await taken_until(box, SENTINEL)
        pubsub.current.say(row(LIST, 1))
        assert [message.topic for message in await taken(box)] == [LIST]


async def test_who_subscribes_while_the_backend_is_away_is_heard_for_afterwards() -> None:
    """Whether it came before or after the next upstream was asked."""
    for steps in range(12):
        pubsub = FakePubSub(yields=2)
        async with running(pubsub) as hub:
            await hub.subscribe(mailbox(), SENTINEL)
            pubsub.current.break_with(UpstreamLost("gone"))
            for _ in range(steps):
                await asyncio.sleep(0)
            box = mailbox()

            await within(hub.subscribe(box, LIST))

            # One that was said to the lost upstream is covered by the reset.
            pubsub.current.say(row(LIST, 1))
            assert [message.topic for message in await taken(box)] == [LIST]
            pubsub.current.say(row(LIST, 2))
            assert [message.topic for message in await taken(box)] == [LIST]


async def test_a_dead_upstream_is_no_obstacle_to_leaving() -> None:
    """There is nothing to unwatch any more."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        await hub.subscribe(box, SENTINEL)
        pubsub.current.fail_unwatch = [UpstreamLost("gone")]

        await hub.unsubscribe(box, LIST, SENTINEL)

        assert not hub._subscribers.wanted()


async def test_a_message_that_cannot_be_fanned_out_ends_in_a_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever goes wrong between the backend and a mailbox, nobody is left believing."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        good, bad = mailbox(), mailbox()
        await hub.subscribe(bad, LIST)
        await hub.subscribe(good, LIST)
        puts = iter([RuntimeError("full"), None, None])

        def put(message: Message, _put=bad.put) -> None:
            if (error := next(puts, None)) is not None:
                raise error
            _put(message)

        monkeypatch.setattr(bad, "put", put)
        pubsub.current.say(row(LIST, 1))

        assert (await taken(bad))[0].reset == Reset.BACKEND_RESTART
        while (await taken(good))[0].reset != Reset.BACKEND_RESTART:
            pass


@pytest.mark.parametrize("error", [UpstreamLost("gone"), RuntimeError("a bug")], ids=repr)
async def test_what_cannot_be_looked_up_counts_as_missed(error: Exception) -> None:
    """Nothing is proven."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        await hub.subscribe(mailbox(), LIST)
        pubsub.current.fail_missed = [error]

        assert await hub.missed(LIST, Cursor("fake", "0")) == Reset.SERVER
        assert await hub.missed(LIST, Cursor("fake", "0")) is None


async def test_missed_asks_for_the_family_too(hub: Hub, pubsub: MemoryPubSub) -> None:
    """A reset of it concerns every topic."""
    since = pubsub.position()
    send(pubsub, Message(FAMILY, reset="bulk"))

    assert await hub.missed(LIST, since) == Reset.NO_REPLAY
    assert await hub.missed(SENTINEL, since) is None


# -- its life --------------------------------------------------------------------------------


async def test_a_closed_hub_lets_the_backend_go() -> None:
    """No task and no upstream stays."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        await hub.subscribe(mailbox(), LIST)

    assert pubsub.current.closed
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "realtime-hub"]


async def test_closing_an_unused_or_closed_hub_is_harmless() -> None:
    """Twice as well."""
    hub = Hub(FakePubSub())

    await hub.close()
    await hub.subscribe(mailbox(), LIST)
    await hub.close()
    await hub.close()


async def test_a_loop_has_one_hub_until_it_is_closed() -> None:
    """A server process has one loop, so one hub."""
    first = get_hub(FakePubSub)
    assert get_hub(FakePubSub) is first

    await close_hub()

    assert get_hub(FakePubSub) is not first
    await close_hub()
    await close_hub()
