"""Many clients subscribe and leave at once, or are cancelled: none misses a message."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from realtime.exceptions import UpstreamLost
from realtime.messages.message import Reset
from realtime.messages.topics import Topic
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import (
    FAMILY,
    LIST,
    SENTINEL,
    mailbox,
    row,
    running,
    say_and_hear,
    taken,
    within,
)


@pytest.mark.parametrize("yields", [0, 1, 4])
@pytest.mark.parametrize("tasks", [2, 3, 25])
async def test_concurrent_subscribers_of_one_topic_miss_nothing(yields: int, tasks: int) -> None:
    """Many come and go at once; after `subscribe()` returned, each later message arrives."""
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
    """One topic's last subscriber leaves while another topic's first subscribes."""
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
    """A message of a topic that others watch already must not be missed."""
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
    """At any step; neither the hub nor the backend keeps it."""
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

            # The next subscriber finds the hub at rest.
            await within(hub.subscribe(mailbox(), SENTINEL))

            assert LIST not in hub._subscribers.wanted()
            assert pubsub.current.watched == {SENTINEL, SENTINEL.family}, f"after {steps} steps"


async def test_a_topic_left_during_an_outage_is_not_watched() -> None:
    """The next upstream is asked for the topics with subscribers at that time."""
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
