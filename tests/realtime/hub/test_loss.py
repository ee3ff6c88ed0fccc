"""When the backend is lost, every client is reset, and the next upstream receives."""

from __future__ import annotations

import asyncio

import pytest

from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import UpstreamLost
from realtime.hub.hub import Hub
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Reset
from tests.realtime.fakes import FakePubSub
from tests.realtime.hub.listening import (
    FAMILY,
    LIST,
    OTHER,
    SENTINEL,
    mailbox,
    row,
    running,
    send,
    taken,
    taken_until,
    within,
)


@pytest.mark.parametrize(
    "error",
    [UpstreamLost("gone"), RuntimeError("a bug"), OSError(), asyncio.CancelledError()],
    ids=repr,
)
async def test_a_lost_upstream_resets_every_client(error: BaseException) -> None:
    """With a cursor of the next one; later messages arrive as before."""
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


async def test_a_cancelled_listener_is_replaced() -> None:
    """The next one resets the first one's subscribers, and receives for them."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        assert hub._listener is not None
        hub._listener.cancel()
        await asyncio.gather(hub._listener, return_exceptions=True)

        await within(hub.subscribe(mailbox(), OTHER))

        assert [message.reset for message in await taken(box)] == [Reset.BACKEND_RESTART]
        pubsub.current.say(row(LIST, 1))
        assert [message.topic for message in await taken(box)] == [LIST]


async def test_a_hub_with_undelivered_resets_has_no_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller after that, before the next upstream, must not get a position."""
    pubsub = FakePubSub()
    hub, upstream = Hub(pubsub), pubsub.connect()
    await upstream.watch([LIST])
    hub._upstream = upstream
    assert hub.head([LIST]) == upstream.head()
    monkeypatch.setattr(hub._fan_out, "received", lambda *_: 1 / 0)
    upstream.say(row(LIST, 1))

    with pytest.raises(ZeroDivisionError):
        await within(hub._receive(upstream))

    assert hub.head([LIST]) is None


async def test_topics_of_an_absent_part_are_reset_when_it_is_back() -> None:
    """By the upstream, as it promised; all others are reset at once."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        one, two = mailbox(), mailbox()
        await hub.subscribe(one, LIST)
        await hub.subscribe(two, OTHER)
        pubsub.late = {OTHER, FAMILY}

        pubsub.current.break_with(UpstreamLost("gone"))

        assert [message.topic for message in await taken(one)] == [LIST]
        pubsub.current.say(Message(OTHER, reset="back"))
        assert [message.reset for message in await taken(two)] == ["back"]


async def test_a_backend_that_is_lost_again_and_again_ends_in_a_reset_each_time() -> None:
    """There is no last attempt."""
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
    """`subscribe()` returns when it is connected."""
    pubsub = FakePubSub()
    pubsub.fail = [OSError("away"), UpstreamLost("away"), OSError("away")]
    async with running(pubsub) as hub:
        box = mailbox()

        await within(hub.subscribe(box, LIST))

        pubsub.current.say(row(LIST, 1))
        assert [message.topic for message in await taken(box)] == [LIST]


@pytest.mark.parametrize(("error", "is_bug"), [(UpstreamLost("gone"), False), (OSError(), True)])
async def test_an_outage_is_logged_once(
    error: Exception, is_bug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for all failed attempts, with the traceback of a bug; its end is logged too."""
    caplog.set_level("INFO", "realtime.hub")
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        for _ in range(2):
            pubsub.fail = [OSError("away"), UpstreamLost("away")]
            pubsub.current.break_with(error)
            await taken(box)

    logged = [record.getMessage() for record in caplog.records]
    assert ["may have lost" in each for each in logged] == [True, False] * 2
    assert [bool(each.exc_info) for each in caplog.records] == [is_bug, False] * 2
    assert logged[1::2] == ["the backend is back"] * 2


async def test_an_upstream_that_breaks_at_its_first_watch_is_replaced() -> None:
    """A subscriber waits for the next one."""
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


async def test_a_subscriber_during_an_outage_receives_afterwards() -> None:
    """Whether it subscribed before or after the next upstream was asked."""
    for steps in range(12):
        pubsub = FakePubSub(yields=2)
        async with running(pubsub) as hub:
            await hub.subscribe(mailbox(), SENTINEL)
            pubsub.current.break_with(UpstreamLost("gone"))
            for _ in range(steps):
                await asyncio.sleep(0)
            box = mailbox()

            await within(hub.subscribe(box, LIST))

            # The reset covers a message to the lost upstream.
            pubsub.current.say(row(LIST, 1))
            assert [message.topic for message in await taken(box)] == [LIST]
            pubsub.current.say(row(LIST, 2))
            assert [message.topic for message in await taken(box)] == [LIST]


async def test_a_dead_upstream_is_no_obstacle_to_leaving() -> None:
    """A lost upstream watches no topics."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        box = mailbox()
        await hub.subscribe(box, LIST)
        await hub.subscribe(box, SENTINEL)
        pubsub.current.fail_unwatch = [UpstreamLost("gone")]

        await hub.unsubscribe(box, LIST, SENTINEL)

        assert not hub._subscribers.wanted()


@pytest.mark.parametrize("error", [UpstreamLost("gone"), RuntimeError("a bug")], ids=repr)
async def test_a_failed_replay_is_a_reset(error: Exception) -> None:
    """No replay proves otherwise."""
    pubsub = FakePubSub()
    async with running(pubsub) as hub:
        await hub.subscribe(mailbox(), LIST)
        pubsub.current.fail_replay = [error]

        (told,) = await hub.replay(LIST, Cursor("fake", "0"))
        assert (told.topic, told.reset) == (LIST, Reset.SERVER)
        assert told.cursor == pubsub.current.head()
        assert await hub.replay(LIST, Cursor("fake", "0")) == []


async def test_the_family_is_replayed_under_the_topic(hub: Hub, pubsub: MemoryPubSub) -> None:
    """A reset of it concerns every topic."""
    since = pubsub.position()
    send(pubsub, Message(FAMILY, reset="bulk"), row(SENTINEL, 1))

    (told,) = await hub.replay(LIST, since)
    assert (told.topic, told.reset) == (LIST, "bulk")
    (told,) = await hub.replay(SENTINEL, since)
    assert (told.topic, told.reset) == (SENTINEL, None)
