"""The hub's work beside receiving: delayed unwatch, new cursors, checks of the upstream."""

from __future__ import annotations

import asyncio

import pytest

from realtime.backends.memory import MemoryPubSub
from realtime.conf import conf
from realtime.exceptions import UpstreamLost
from realtime.hub import hub as hub_module
from realtime.hub.hub import Hub
from realtime.messages.message import Reset
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import (
    FAMILY,
    LIST,
    OTHER,
    mailbox,
    row,
    running,
    send,
    taken,
    until,
    within,
)


@pytest.fixture
def lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic without subscribers stays watched for a moment."""
    monkeypatch.setitem(conf.__dict__, "LINGER", 0.02)


async def test_a_topic_without_subscribers_is_unwatched_later(lingering: None) -> None:
    """Then it is unwatched."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)

        await hub.unsubscribe(box, LIST)

        assert pubsub.current.watched == {LIST, FAMILY}
        await until(lambda: pubsub.current.watched == set())


async def test_a_subscriber_in_time_keeps_the_topic_watched(lingering: None) -> None:
    """Other topics of its family are unwatched."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        for topic in (LIST, OTHER):
            await hub.subscribe(box, topic)
        await hub.unsubscribe(box, LIST, OTHER)

        await hub.subscribe(box, LIST)

        await until(lambda: OTHER not in pubsub.current.watched)
        assert pubsub.current.watched == {LIST, FAMILY}


async def test_a_hub_that_closes_does_not_linger(lingering: None) -> None:
    """No timer and no task remains."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        await hub.unsubscribe(box, LIST)

    assert not hub._delayed_unwatch._timers
    assert not hub._delayed_unwatch._leaving


async def test_idle_topics_get_a_new_cursor_now_and_then(
    hub: Hub, pubsub: MemoryPubSub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old cursor would be of no use to a client that reconnects with it."""
    monkeypatch.setitem(conf.__dict__, "REFRESH", 0.01)
    idle, busy = mailbox(), mailbox()
    await hub.subscribe(idle, LIST)
    await hub.subscribe(busy, OTHER)
    send(pubsub, row(OTHER, 1))
    newest = pubsub.position()

    async with asyncio.timeout(30):
        while True:
            (told,) = await taken(idle)
            assert (told.topic, told.changes, told.reset) == (LIST, {}, None)
            if told.cursor == newest:
                break


async def test_an_upstream_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its silence may mean that it cannot receive."""
    monkeypatch.setattr(hub_module, "SWEEP", 0.001)
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)

        pubsub.current.fail_check = [UpstreamLost("no answer")]

        (told,) = await taken(box)
        assert told.reset == Reset.BACKEND_RESTART
        assert len(pubsub.upstreams) == 2


@pytest.mark.parametrize("task", ["_refresh", "_receive"])
async def test_a_task_that_dies_resets_every_client(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every client reloads, and another upstream receives later messages."""
    died: list[str] = []
    usual = getattr(Hub, task)

    async def dies_once(self, upstream):
        if died:
            await usual(self, upstream)
        else:
            await started.wait()
            died.append(task)
            raise asyncio.CancelledError

    started = asyncio.Event()
    monkeypatch.setattr(Hub, task, dies_once)
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        started.set()

        (told,) = await taken(box)
        assert told.reset == Reset.BACKEND_RESTART
        pubsub.current.say(row(LIST, 1))
        (told,) = await within(box.take())
        assert told.changes
