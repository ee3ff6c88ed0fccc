"""Channel layers lose messages silently; how the backend makes up for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.test import override_settings

from realtime.backends.base import Upstream
from realtime.backends.channel_layer import ChannelLayerPubSub, group_of
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

pytestmark = pytest.mark.sqlite

TOPIC, OTHER = Topic("list:5"), Topic("list:6")
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def layers() -> AsyncIterator[None]:
    memory = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with override_settings(CHANNEL_LAYERS={"default": memory}):
        yield
    channel_layers.backends.clear()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = ChannelLayerPubSub(net=None).connect()
    await upstream.watch([TOPIC, OTHER])
    yield upstream
    await upstream.close()


def row(pk: int, topic: Topic = TOPIC) -> Message:
    return Message(topic, {"a.b": {str(pk): "updated"}})


async def told(upstream: Upstream, count: int) -> list[str]:
    """Return the rows, or the reasons of resets, that are received."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            for message in await upstream.receive():
                found += [message.reset] if message.reset else message.changes["a.b"]
    return found


async def test_a_loss_before_a_message_is_a_reset(upstream: Upstream) -> None:
    """Its sender had numbered one between."""
    pubsub = ChannelLayerPubSub()
    send = sync_to_async(pubsub.send)
    await send([row(1)])
    pubsub._numbering.next(TOPIC)  # the layer drops it
    await send([row(3), row(4)])

    assert await told(upstream, 4) == ["1", Reset.NO_REPLAY, "3", "4"]


async def test_each_topic_and_each_sender_counts_for_itself(upstream: Upstream) -> None:
    """Otherwise a busy neighbour would look like a loss."""
    one, two = sync_to_async(ChannelLayerPubSub().send), sync_to_async(ChannelLayerPubSub().send)
    await one([row(1), row(2, OTHER), row(3)])
    await two([row(4)])
    await one([row(5)])

    assert await told(upstream, 5) == ["1", "2", "3", "4", "5"]


async def test_the_first_message_of_a_sender_with_a_later_number_is_a_reset(
    upstream: Upstream,
) -> None:
    """Its earlier messages may be lost, or older than the watch: it is not known."""
    pubsub = ChannelLayerPubSub()
    pubsub._numbering.next(TOPIC)
    await sync_to_async(pubsub.send)([row(2)])

    assert await told(upstream, 2) == [Reset.NO_REPLAY, "2"]


async def test_every_topic_is_reset_now_and_then() -> None:
    """This repairs a loss with no message behind it."""
    upstream = ChannelLayerPubSub(net=0.05).connect()
    try:
        await upstream.watch([TOPIC])

        assert await told(upstream, 2) == [Reset.NO_REPLAY] * 2
    finally:
        await upstream.close()


async def test_an_invalid_message_resets_all_topics(upstream: Upstream) -> None:
    """Another program sends to these groups."""
    event = {"type": "realtime.message", "text": "{}"}
    layer = channel_layers["default"]
    await layer.group_send(group_of(TOPIC), event)

    with pytest.raises(Exception, match="expected a message from the channel layer"):
        await told(upstream, 1)


def test_a_check_says_what_is_not_promised() -> None:
    """It also reports a missing layer."""
    assert [each.id for each in ChannelLayerPubSub().check()] == ["realtime.W004"]
    assert [each.id for each in ChannelLayerPubSub(net=None).check()] == ["realtime.W004"]
    assert [each.id for each in ChannelLayerPubSub("none").check()] == ["realtime.E006"]


@pytest.mark.parametrize("options", [{"net": -1}, {"timeout": 0}, {"net": "often"}], ids=repr)
def test_options_that_could_not_work_are_refused(options: dict[str, object]) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match="above 0"):
        ChannelLayerPubSub(**options)  # type: ignore[arg-type]
