"""Test helpers: collect or assert the messages that a piece of code publishes.

::

    with capture_invalidations() as told:
        task.save()
    assert "list:5" in told.topics

    with assert_invalidates("list:5", "user:7"):
        task.save()

They work where nothing commits, as in a `TestCase`, and need neither a backend nor a running
server. Changes that the block rolls back are left out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.changes import JournalEntry
from invalidation.transactions.commit import complete, listeners, messages_of
from invalidation.transactions.journal import journal_of
from realtime.messages.message import Message
from realtime.messages.topics import Topic

__all__ = ["Captured", "assert_invalidates", "assert_not_invalidates", "capture_invalidations"]


class Captured:
    """The messages of a block, complete when the block ends.

    They are those of each transaction that committed since the block began, in any thread, and
    those of the transactions that the block's own thread still has open.
    """

    def __init__(self) -> None:
        self._committed: list[Message] = []
        self._lock = threading.Lock()
        self._open = {each.alias: (each, _seen(each)) for each in connections.all()}
        self._end: list[Message] | None = None

    @property
    def messages(self) -> list[Message]:
        """The messages, in the order of their transactions; one a topic and transaction."""
        with self._lock:
            committed = list(self._committed)
        pending = self._end if self._end is not None else self._pending()
        return [*committed, *pending]

    @property
    def topics(self) -> set[str]:
        """The topics of the messages, as text; the reset of a family is `list:`."""
        return {str(message.topic) for message in self.messages}

    def tells(self, topic: str) -> bool:
        """Return True if a client that watches `topic` receives a message or a reset."""
        wanted = Topic(topic)
        return not self.topics.isdisjoint({str(wanted), str(wanted.family)})

    def add(self, messages: Sequence[Message]) -> None:
        """Add the messages of a transaction that commits."""
        with self._lock:
            self._committed += messages

    def finish(self) -> None:
        """Freeze the messages of transactions that are still open."""
        self._end = self._pending()

    def _pending(self) -> list[Message]:
        return [m for connection, seen in self._open.values() for m in _since(connection, seen)]


@contextmanager
def capture_invalidations() -> Iterator[Captured]:
    """Collect the block's messages: `.messages`, and `.topics` as a set of text."""
    captured = Captured()
    listeners.append(captured.add)
    try:
        yield captured
    finally:
        captured.finish()
        listeners.remove(captured.add)


@contextmanager
def assert_invalidates(*topics: str) -> Iterator[Captured]:
    """Fail unless the block publishes to each topic, or resets its family."""
    if not topics:
        raise TypeError("assert_invalidates() expected at least one topic")
    with capture_invalidations() as captured:
        yield captured
    missing = sorted(topic for topic in topics if not captured.tells(topic))
    if missing:
        raise AssertionError(
            f"expected messages to {missing}, got messages to {sorted(captured.topics)}"
        )


@contextmanager
def assert_not_invalidates(*topics: str) -> Iterator[Captured]:
    """Fail if the block publishes to one of the topics; without topics, if it publishes at all."""
    with capture_invalidations() as captured:
        yield captured
    told = sorted(filter(captured.tells, topics)) if topics else sorted(captured.topics)
    if told:
        raise AssertionError(f"expected no messages, got messages to {told}")


def _seen(connection: BaseDatabaseWrapper) -> tuple[JournalEntry, ...]:
    return journal_of(connection).entries()


def _since(connection: BaseDatabaseWrapper, seen: tuple[JournalEntry, ...]) -> list[Message]:
    """Return the messages of the open transaction's entries beyond those `seen` before."""
    now = journal_of(connection).entries()
    same = 0
    while same < len(seen) and same < len(now) and now[same] is seen[same]:
        same += 1
    return messages_of(complete(connection, now[same:], at_the_end=True))
