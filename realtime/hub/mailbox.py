"""What waits for one connection.

A mailbox holds at most one message a topic, merging what arrives while its client is slow, and
turns a topic of which too many rows wait into a reset; so it does with whatever comes when too
many rows wait in all. So its size is bounded, and a slow client costs constant memory and misses
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.messages.identity_cache import IdentityCache
from realtime.messages.merge import bound, merge, size
from realtime.messages.message import Message
from realtime.messages.topics import Topic

# Mailboxes that wait together hold the same messages, and are given the same: one merging does.
_merge = IdentityCache(merge)


class Mailbox:
    """Messages that one connection has not been sent yet.

    Owner: the event loop of its connection. The hub puts, one task takes. A topic that is held
    gathers and is not given out. `realtime.connections.subscriptions` alone holds and releases:
    while a subscription is not confirmed, since a client hears of nothing before it is told that
    it is subscribed; and while it is in doubt whether the client may watch it.

    `woken` is called when there is something to take where there was nothing.
    """

    __slots__ = ("_holds", "_most", "_most_rows", "_news", "_rows", "_waiting", "_woken")

    def __init__(
        self, most_rows: int, most: int | None = None, woken: Callable[[], None] | None = None
    ) -> None:
        """Make one that holds `most_rows` of a topic at most, and `most` of all together."""
        self._most_rows = most_rows
        self._most = most or 10 * most_rows
        self._woken = woken
        self._waiting: dict[Topic, Message] = {}
        self._holds: dict[Topic, None] = {}
        self._rows = 0
        """How many rows wait."""
        self._news: asyncio.Event | None = None

    def put(self, message: Message) -> None:
        """Add a message; merge it with what waits of its topic."""
        topic = message.topic
        waiting = self._waiting.get(topic)
        if waiting is not None:
            self._rows -= size(waiting)
            message = _merge(waiting, message)
        rows = size(message)
        if rows > min(self._most_rows, self._most - self._rows):
            message, rows = bound(message, 0), 0
        self._rows += rows
        self._waiting[topic] = message
        if topic not in self._holds:
            self._wake()

    def hold(self, topic: Topic) -> None:
        """Give out nothing of this topic, what waits included, until it is released."""
        self._holds[topic] = None

    def release(self, topic: Topic) -> None:
        """Give out what a held topic gathered."""
        if topic not in self._holds:
            return
        del self._holds[topic]
        if not self._holds:
            self._holds.clear()  # what is emptied one by one keeps its memory
        if topic in self._waiting:
            self._wake()

    def discard(self, topic: Topic) -> None:
        """Drop what waits of a topic that is watched no more. A hold stays until `release()`."""
        message = self._waiting.pop(topic, None)
        if message is not None:
            self._rows -= size(message)

    def take_now(self) -> list[Message]:
        """Take all that may be given out: one message a topic."""
        if not self._holds:
            taken = list(self._waiting.values())
            self._waiting.clear()
            self._rows = 0
            return taken
        free = [topic for topic in self._waiting if topic not in self._holds]
        taken = [self._waiting.pop(topic) for topic in free]
        self._rows -= sum(map(size, taken))
        return taken

    async def take(self) -> list[Message]:
        """Wait until something may be given out, and take it."""
        while not (taken := self.take_now()):
            self._news = self._news or asyncio.Event()
            self._news.clear()
            await self._news.wait()
        return taken

    @property
    def rows(self) -> int:
        """How many rows wait; a reset counts as none."""
        return self._rows

    def waiting(self) -> dict[Topic, int]:
        """Return of which topics something waits, and how many rows of each."""
        return {topic: size(message) for topic, message in self._waiting.items()}

    def __len__(self) -> int:
        """Return of how many topics something waits."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        """Say yes: an empty mailbox is one too."""
        return True

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
        if self._woken is not None:
            self._woken()
