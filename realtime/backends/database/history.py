"""The records that a process has read last.

Whoever comes back with a cursor of these last minutes is told from here what it missed: a crowd
that returns after a restart of the web server does not reach the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from realtime.backends.database.record import Record
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic

IsUnseen = Callable[[int], bool]
"""Says of a record's place whether the holder of a cursor has not seen it."""

Compare = Callable[[Cursor, Cursor, Cursor, Collection[Cursor]], IsUnseen | None]
"""`compare(since, start, position, known)`: what the holder of `since` has not seen, if all of it
that was read up to `position` was read behind `start`; else, or if it is not known, None. `known`
are the cursors of what was read."""


class History:
    """Batches of records in the order in which they were read, up to `most` messages in all.

    Owner: the event loop of its upstream. Forgotten batch by batch, since only between batches the
    position is known exactly.
    """

    def __init__(self, start: Cursor, compare: Compare, most: int = 20_000) -> None:
        self._start = self._position = start
        self._compare = compare
        self._most = most
        self._held = 0
        self._batches: deque[tuple[Cursor, Sequence[Record]]] = deque()
        self._cursors: dict[Cursor, None] = {start: None}
        self._by_topic: dict[Topic, deque[tuple[int, Message]]] = {}

    def add(self, records: Sequence[Record], position: Cursor) -> None:
        """Keep records that were read, and the exact position behind them."""
        self._position = position
        if not records:
            return
        self._batches.append((position, records))
        for record in records:
            self._cursors[record.cursor] = None
            for message in record.messages:
                # What is opaque to clients need not be kept for them.
                kept = replace(message, extra=None) if message.extra is not None else message
                self._by_topic.setdefault(message.topic, deque()).append((record.place, kept))
        self._held += _size(records)
        while self._held > self._most:
            self._forget()

    def since(self, topics: Collection[Topic], cursor: Cursor) -> list[Message] | None:
        """Return what of `topics` the holder of a cursor has not seen; None if it is not known."""
        is_unseen = self._compare(cursor, self._start, self._position, self._cursors.keys())
        if is_unseen is None:
            return None
        found = [each for topic in topics for each in self._by_topic.get(topic, ())]
        return [message for place, message in found if is_unseen(place)]

    def _forget(self) -> None:
        position, records = self._batches.popleft()
        self._held -= _size(records)
        for record in records:
            self._cursors.pop(record.cursor, None)
            for message in record.messages:
                # They are forgotten in the order in which they came.
                left = self._by_topic[message.topic]
                left.popleft()
                if not left:
                    del self._by_topic[message.topic]
        self._cursors.pop(self._start, None)
        self._start = position
        self._cursors[position] = None


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.messages) for record in records)
