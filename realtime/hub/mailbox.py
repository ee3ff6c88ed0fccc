"""Mailboxes: the messages that wait for one connection, bounded in size.

A mailbox has at most one message a topic and merges those that arrive while its client is slow. A
message becomes a reset when too many rows of its topic wait, or too many rows in all. So a slow
client costs a bounded amount of memory, and is still told of every change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.messages.identity_cache import IdentityCache
from realtime.messages.merge import bound, merge, size
from realtime.messages.message import Message
from realtime.messages.topics import Topic

# Mailboxes of slow clients hold the same messages and receive the same: each merge is done once.
_merge = IdentityCache(merge)


class Mailbox:
    """Messages that one connection has not been sent yet.

    Owner: the event loop of its connection. The hub puts; one task takes. Messages of a held topic
    are kept and not taken. Only `realtime.connections.subscriptions` holds and releases: a topic
    is held until the client was sent `subscribed`, and while its rule is asked again.

    `woken` is called when there may be messages to take.
    """

    __slots__ = ("_holds", "_most", "_most_rows", "_news", "_rows", "_waiting", "_woken")

    def __init__(
        self, most_rows: int, most: int | None = None, woken: Callable[[], None] | None = None
    ) -> None:
        """Bound the waiting rows: `most_rows` of one topic, and `most` of all together."""
        self._most_rows = most_rows
        self._most = most or 10 * most_rows
        self._woken = woken
        self._waiting: dict[Topic, Message] = {}
        self._holds: dict[Topic, None] = {}
        self._rows = 0
        """The number of rows that wait."""
        self._news: asyncio.Event | None = None

    def put(self, message: Message) -> None:
        """Add a message; merge it with the one of its topic that waits."""
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
        """Keep this topic's messages, those that wait already included, until `release()`."""
        self._holds[topic] = None

    def release(self, topic: Topic) -> None:
        """Let the messages of a held topic be taken; a topic that is not held is ignored."""
        if topic not in self._holds:
            return
        del self._holds[topic]
        if not self._holds:
            self._holds.clear()  # see decision 13
        if topic in self._waiting:
            self._wake()

    def discard(self, topic: Topic) -> None:
        """Drop the message of an unsubscribed topic. A hold stays until `release()`."""
        message = self._waiting.pop(topic, None)
        if message is not None:
            self._rows -= size(message)

    def take_now(self) -> list[Message]:
        """Take all messages that are not held, one a topic."""
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
        """Wait for messages that are not held, and take them."""
        while not (taken := self.take_now()):
            self._news = self._news or asyncio.Event()
            self._news.clear()
            await self._news.wait()
        return taken

    @property
    def rows(self) -> int:
        """The number of rows that wait; a reset counts as none."""
        return self._rows

    def waiting(self) -> dict[Topic, int]:
        """Return the topics with a waiting message, and its number of rows."""
        return {topic: size(message) for topic, message in self._waiting.items()}

    def __len__(self) -> int:
        """Return the number of topics with a waiting message."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        """Return True, also for an empty mailbox."""
        return True

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
        if self._woken is not None:
            self._woken()
