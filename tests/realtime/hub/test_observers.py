"""Observers see messages in every process, and may reset topics there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from realtime.hub import observers
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, mailbox, row, running, taken

MODEL = Topic("model:shop.order")


class Watcher:
    """Resets the lists for each suspicious message of the model's topic."""

    def __init__(self) -> None:
        self.seen: list[Message] = []
        self.fails = False
        self.misses = 0

    def topics(self) -> Iterable[Topic]:
        return [MODEL]

    def missed(self) -> None:
        self.misses += 1

    def observe(self, message: Message) -> Iterable[Message]:
        if self.fails:
            raise ZeroDivisionError
        self.seen.append(message)
        if message.extra == {"suspicious": True}:
            yield Message(FAMILY, reset=Reset.SERVER, cursor=message.cursor)


@pytest.fixture
def watcher() -> Watcher:
    watcher = Watcher()
    observers.register(watcher)
    observers.register(watcher)  # once is enough
    return watcher


async def test_an_observers_topics_are_watched_without_subscribers(watcher: Watcher) -> None:
    """And not unwatched with the last client."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, MODEL)
        await hub.unsubscribe(box, MODEL)

        assert pubsub.current.watched == {MODEL}
        pubsub.current.say(row(MODEL, 1))
        await hub.subscribe(box, LIST)
        pubsub.current.say(row(LIST, 1))
        await taken(box)
        assert [message.topic for message in watcher.seen] == [MODEL, LIST]


async def test_an_observers_messages_reach_their_subscribers(watcher: Watcher) -> None:
    """It sees `extra`, which clients never receive."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box, other = mailbox(), mailbox()
        await hub.subscribe(box, LIST)
        await hub.subscribe(other, MODEL)

        pubsub.current.say(row(OTHER, 1), Message(MODEL, extra={"suspicious": True}))

        (told,) = await taken(box)
        assert (told.topic, told.reset, told.cursor) == (LIST, Reset.SERVER, pubsub.current.head())
        (told,) = await taken(other)
        assert (told.topic, told.reset, told.extra) == (MODEL, None, None)


async def test_an_observer_that_fails_resets_every_client(watcher: Watcher) -> None:
    """Its resets are unknown then."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        watcher.fails = True

        pubsub.current.say(row(LIST, 1))

        (told,) = await taken(box)
        assert told.reset == Reset.BACKEND_RESTART
        # Once for the first connection, and once more.
        assert watcher.misses == 2
