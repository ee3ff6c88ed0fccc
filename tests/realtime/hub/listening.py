"""A hub on a fake backend, its mailboxes, and messages to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from realtime.backends.base import PubSub
from realtime.backends.memory import MemoryPubSub
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tests.realtime.fakes import FakePubSub

LIST, OTHER, FAMILY = Topic("list:5"), Topic("list:6"), Topic("list:")
SENTINEL = Topic("sentinel:1")
PATIENCE = 30.0


@asynccontextmanager
async def running(pubsub: PubSub) -> AsyncIterator[Hub]:
    hub = Hub(pubsub)
    try:
        yield hub
    finally:
        await within(hub.close())


async def within(what):
    return await asyncio.wait_for(what, PATIENCE)


async def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds, up to a deadline."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.001)


def mailbox() -> Mailbox:
    return Mailbox(1_000)


async def taken(box: Mailbox) -> list[Message]:
    return await within(box.take())


async def taken_until(box: Mailbox, topic: Topic) -> list[Message]:
    """Return all messages up to one of `topic`."""
    found: list[Message] = []
    while not any(message.topic == topic for message in found):
        found += await taken(box)
    return found


def send(pubsub: MemoryPubSub, *messages: Message) -> None:
    pubsub.prepare(messages, "default")()


def row(topic: Topic, pk: object) -> Message:
    return Message(topic, {"shop.order": {str(pk): "updated"}})


async def say_and_hear(pubsub: FakePubSub, box: Mailbox, message: Message) -> None:
    """Send messages, and wait until their rows have arrived, alone or merged with others."""
    pubsub.current.say(message)
    due = set(message.changes["shop.order"])
    while due:
        for told in await taken(box):
            due -= set(told.changes["shop.order"])
