"""What waits for one connection.

A mailbox holds at most one message a topic, merging what arrives while its client is slow, and
turns a topic of which too many rows wait into a reset. So its size is bounded by the number of
subscriptions, and a slow client costs constant memory and misses nothing.
"""

from __future__ import annotations

import asyncio

from realtime.merging import bound, merge
from realtime.messages import Message
from realtime.topics import Topic


class Mailbox:
    """Messages that one connection has not been sent yet.

    Owner: the event loop of its connection. The hub puts, one task takes. A held topic gathers
    but is not given out: a subscriber is put on the list before the backend confirms, so that
    nothing falls between, and hears of nothing before it is told that it is subscribed.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._waiting: dict[Topic, Message] = {}
        self._held: dict[Topic, Message | None] = {}
        self._news = asyncio.Event()

    def put(self, message: Message) -> None:
        """Add a message; merge it with what waits of its topic."""
        if message.topic in self._held:
            self._held[message.topic] = self._joined(self._held[message.topic], message)
        else:
            waiting = self._waiting.get(message.topic)
            self._waiting[message.topic] = self._joined(waiting, message)
            self._news.set()

    def hold(self, topic: Topic) -> None:
        """Gather this topic's messages without giving them out."""
        self._held.setdefault(topic, None)

    def release(self, topic: Topic) -> None:
        """Give out what a held topic gathered."""
        message = self._held.pop(topic, None)
        if message is not None:
            self.put(message)

    def discard(self, topic: Topic) -> None:
        """Forget what waits of a topic that is watched no more."""
        self._held.pop(topic, None)
        self._waiting.pop(topic, None)

    async def take(self) -> list[Message]:
        """Wait until something waits, and take all of it: one message a topic."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def _joined(self, waiting: Message | None, message: Message) -> Message:
        return bound(merge(waiting, message) if waiting else message, self._most_rows)
