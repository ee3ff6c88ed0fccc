"""Topics and messages of the contract's tests."""

from __future__ import annotations

import asyncio

from realtime.messages.message import Message
from realtime.messages.topics import Topic

LIST, OTHER, ALIKE, FAMILY = Topic("list:5"), Topic("list:6"), Topic("list:55"), Topic("list:")
SENTINEL = Topic("sentinel:1")


def row(topic: Topic, pk: int) -> Message:
    """Make a message of one row."""
    return Message(topic, {"shop.order": {str(pk): "updated"}})


async def turns(number: int) -> None:
    """Yield to other tasks so many times, so that one side of a race starts later each time."""
    for _ in range(number):
        await asyncio.sleep(0)
