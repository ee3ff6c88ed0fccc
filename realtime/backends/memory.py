"""A backend within one process, between any of its threads and event loops.

It is for tests and for projects that run as a single process. Other processes receive nothing, and
a restart loses the history. A crash between commit and publish loses the message, together with
every client that could have missed it.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import ClassVar

from realtime.backends.base import PubSub, Upstream
from realtime.backends.inbox import Inbox
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic


class MemoryPubSub(PubSub):
    """Carries messages within this process. Instances with the same `name` share one history."""

    process_local: ClassVar[bool] = True
    supports_replay: ClassVar[bool] = True

    def __init__(self, name: str = "default", keep: int = 10_000, **options: object) -> None:
        super().__init__(**options)
        self._history = _History.named(name, keep)

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Keep the messages until the transaction has committed."""
        return lambda: self._history.append(messages)

    def position(self) -> Cursor:
        """Return the position of the newest message."""
        return self._history.head()

    async def aposition(self) -> Cursor:
        """Return the position of the newest message; this does not block."""
        return self._history.head()

    def connect(self) -> Upstream:
        """Connect to this process's history."""
        return _MemoryUpstream(self._history)


class _History:
    """The newest messages, and the upstreams that receive them. Owner: its lock.

    Any thread uses it.

    A new process starts a new epoch, since it has none of the old process's messages.
    """

    _all: ClassVar[dict[str, _History]] = {}
    _all_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, keep: int) -> None:
        self._lock = threading.Lock()
        self._epoch = secrets.token_hex(8)
        self._sent = 0
        self._recent: deque[tuple[int, Message]] = deque(maxlen=keep)
        self._upstreams: set[_MemoryUpstream] = set()

    @classmethod
    def named(cls, name: str, keep: int) -> _History:
        with cls._all_lock:
            if name not in cls._all:
                cls._all[name] = cls(keep)
            return cls._all[name]

    def head(self) -> Cursor:
        with self._lock:
            return self._cursor()

    def append(self, messages: Sequence[Message]) -> None:
        with self._lock:
            placed = [self._place(message) for message in messages]
            # Within the lock, so that every upstream receives messages in the order of the history.
            for upstream in self._upstreams:
                upstream.deliver(placed)

    def join(self, upstream: _MemoryUpstream) -> Cursor:
        with self._lock:
            self._upstreams.add(upstream)
            return self._cursor()

    def leave(self, upstream: _MemoryUpstream) -> None:
        with self._lock:
            self._upstreams.discard(upstream)

    def since(self, topics: Collection[Topic], cursor: Cursor) -> list[Message]:
        with self._lock:
            if cursor.epoch != self._epoch:
                raise CannotReplay(Reset.BACKEND_RESTART)
            offset = int(cursor.offset) if cursor.offset.isdecimal() else self._sent + 1
            if offset > self._sent:
                raise CannotReplay(Reset.UNKNOWN_CURSOR)
            if offset < self._sent - len(self._recent):
                raise CannotReplay(Reset.HISTORY_EXPIRED)
            # Start at the newest: a client that reconnects has mostly missed few messages.
            newer = takewhile(lambda each: each[0] > offset, reversed(self._recent))
            return [message for _, message in newer if message.topic in topics][::-1]

    def _cursor(self) -> Cursor:
        return Cursor(self._epoch, str(self._sent))

    def _place(self, message: Message) -> Message:
        self._sent += 1
        placed = replace(message, cursor=self._cursor())
        self._recent.append((self._sent, replace(placed, extra=None)))
        return placed


class _MemoryUpstream(Upstream):
    """Receives from a history. Its event loop owns all but `deliver()`."""

    def __init__(self, history: _History) -> None:
        self._history = history
        self._inbox: Inbox[Message] = Inbox()
        self._watched: set[Topic] = set()
        self._head = NOWHERE

    def deliver(self, messages: Sequence[Message]) -> None:
        """Take messages, from the thread that sent them."""
        self._inbox.call(self._inbox.put, messages)

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        self._inbox.check()
        # Added first, so that a message sent after the cursor was read finds its topic watched.
        self._watched.update(topics)
        cursor = self._history.join(self)
        if self._head == NOWHERE:
            self._head = cursor
        return self._head

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        self._watched.difference_update(topics)

    async def receive(self) -> Sequence[Message]:
        while True:
            received = await self._inbox.take()
            self._head = received[-1].cursor or self._head
            if messages := [message for message in received if message.topic in self._watched]:
                return messages

    def head(self) -> Cursor:
        return self._head

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        return self._history.since(topics, since)

    async def close(self) -> None:
        self._history.leave(self)
        self._inbox.lose("the upstream was closed")
