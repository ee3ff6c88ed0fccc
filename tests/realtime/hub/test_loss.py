"""When the backend is lost: everybody is reset, and hears the next one."""

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


async def test_a_listener_that_somebody_ended_is_missed_by_nobody() -> None:
    """The next one resets those whom the first had told, and hears for them."""
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


async def test_a_hub_that_has_not_told_all_knows_of_no_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever asks right behind that, before the next upstream, must not be given one."""
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


async def test_what_a_part_of_the_backend_holds_is_reset_when_that_is_back() -> None:
    """By the upstream, as it promised; everybody else is reset at once."""
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


@pytest.mark.parametrize(("error", "is_bug"), [(UpstreamLost("gone"), False), (OSError(), True)])
async def test_an_outage_is_logged_once(
    error: Exception, is_bug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """However many attempts fail meanwhile, with the traceback of a bug; and so is its end."""
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


@pytest.mark.parametrize("error", [UpstreamLost("gone"), RuntimeError("a bug")], ids=repr)
async def test_what_cannot_be_looked_up_counts_as_missed(error: Exception) -> None:
    """Nothing is proven."""
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
