"""A bounded queue in memory for the relay, in commit order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from time import monotonic
from typing import Protocol

from realtime.backends.outbox.stats import metrics
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

Place = tuple[str, str]
"""A database: its alias and its name. Tests change the name that belongs to an alias."""


class Sender(Protocol):
    """Sends messages to a backend: an `OutboxPubSub`. The relay's thread calls it."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages to the backend, or raise."""

    def ended(self) -> None:
        """Release the resources that `send()` holds in the relay's thread, which ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A row of the outbox that was committed, or is about to be."""

    pubsub: Sender
    place: Place
    row: int
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True, eq=False)
class Unstored:
    """Committed messages without a row: they exist only in memory.

    `passing` messages lose their value at once: they are dropped if the backend does not take them
    at the first attempt.
    """

    pubsub: Sender
    messages: tuple[Message, ...]
    passing: bool = False
    since: float = field(default_factory=monotonic)


Item = Stored | Unstored


class Queue:
    """Items of all threads, for the relay's thread. Owner: its condition.

    A full queue rejects items. Rejected stored items are not lost: the queue has spilled, and the
    relay reads the table. Until the relay begins to read, the queue rejects all stored items, since
    they would be sent before the earlier ones. For rejected items without a row the topics'
    families are reset.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._resets: dict[Topic, Unstored] = {}
        self._spilled = False
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Add an item, and wake the waiting threads."""
        with self._changed:
            full = len(self._items) >= self._size
            if isinstance(item, Stored) and (full or self._spilled):
                self._spilled = True
                metrics.count("spilled")
            elif isinstance(item, Unstored) and (full or self._resets):
                if not item.passing:
                    self._reset(item)
            else:
                self._items.append(item)
            self._changed.notify_all()

    def head(self, most: int) -> list[Item]:
        """Return the first items that can be sent together; they stay until `done()`."""
        with self._changed:
            if not self._items:
                self._items.extend(self._resets.values())
                self._resets.clear()
            first = next(iter(self._items), None)
            return list(
                takewhile(
                    lambda item: _batch_key(item) == _batch_key(first), islice(self._items, most)
                )
            )

    def done(self, count: int) -> None:
        """Remove the first `count` items."""
        with self._changed:
            for _ in range(count):
                self._items.popleft()
            self._changed.notify_all()

    def take_spill(self) -> bool:
        """Return True if stored items were rejected since the last call; accept them again."""
        with self._changed:
            spilled, self._spilled = self._spilled, False
            return spilled

    def spill(self) -> None:
        """Reject stored items again: the table could not be read to its end."""
        with self._changed:
            self._spilled = True

    def close(self) -> None:
        """End all waits, present and future."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """True once `close()` was called."""
        return self._closed

    def wait_for_items(self, seconds: float) -> bool:
        """Wait at most `seconds` for items; return True if there are any or the queue is closed."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._closed or self._waiting(), max(seconds, 0))
            return bool(found)

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait at most `seconds` until all items are done; return True if they are."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._waiting(), seconds)
            return not self._waiting()

    def wait_until_closed(self, seconds: float) -> None:
        """Wait for `seconds`, or until the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def lag(self) -> float:
        """Return the seconds for which the first item has waited; 0 if there is none."""
        with self._changed:
            return monotonic() - self._items[0].since if self._items else 0.0

    def __len__(self) -> int:
        return len(self._items) + len(self._resets)

    def _waiting(self) -> bool:
        return bool(self._items or self._resets or self._spilled)

    def _reset(self, item: Unstored) -> None:
        metrics.count("reset")
        for topic in {message.topic.family for message in item.messages}:
            reset = Message(topic, reset=Reset.OVERFLOW)
            self._resets[topic] = Unstored(item.pubsub, (reset,))


def _batch_key(item: Item | None) -> tuple[int, object]:
    """Return the value that items must have in common to be sent together."""
    if isinstance(item, Unstored):
        return id(item.pubsub), item.passing
    return id(item and item.pubsub), item and item.place
