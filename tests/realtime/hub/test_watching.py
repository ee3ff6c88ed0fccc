"""The topics that the hub watches upstream: those with subscribers, none once closed."""

from __future__ import annotations

import asyncio

from realtime.hub.hub import Hub
from realtime.server import close_server, server_of
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, mailbox, running


async def test_upstream_is_asked_once_however_many_subscribe() -> None:
    """The last subscriber's leave unwatches it."""
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
    """Neither before any subscription, nor of another mailbox's topic."""
    await hub.unsubscribe(mailbox(), LIST)
    await hub.subscribe(mailbox(), LIST)

    await hub.unsubscribe(mailbox(), LIST, OTHER)

    assert hub._subscribers.topics() == (LIST,)


async def test_a_closed_hub_lets_the_backend_go() -> None:
    """No task and no upstream remains."""
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
    first = server_of(make=FakePubSub).hub
    assert server_of(make=FakePubSub).hub is first

    await close_server()

    assert server_of(make=FakePubSub).hub is not first
    await close_server()
    await close_server()
