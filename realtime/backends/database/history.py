"""The records that a process read most recently.

A client that reconnects with a cursor of the last minutes is replayed from here. So many clients
that reconnect after a restart of the web server cause no queries.
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
"""Return True if the holder of a cursor has not seen the record at this place."""

Compare = Callable[[Cursor, Cursor, Cursor, Collection[Cursor]], IsUnseen | None]
"""`compare(since, start, position, known)` returns the test for records that the holder of `since`
has not seen. It returns None unless all of those up to `position` were read behind `start`, or if
that is unknown. `known` are the cursors of the records that were read.
"""


class History:
    """Batches of records in the order in which they were read, up to `most` messages in all.

    Owner: the event loop of its upstream. Whole batches are dropped, since only between batches the
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
        """Add records that were read, and the exact position behind them."""
        self._position = position
        if not records:
            return
        self._batches.append((position, records))
        for record in records:
            self._cursors[record.cursor] = None
            for message in record.messages:
                # Clients never receive `extra`, so replays do not need it.
                kept = replace(message, extra=None) if message.extra is not None else message
                self._by_topic.setdefault(message.topic, deque()).append((record.place, kept))
        self._held += _size(records)
        while self._held > self._most:
            self._forget()

    def since(self, topics: Collection[Topic], cursor: Cursor) -> list[Message] | None:
        """Return the messages of `topics` that a cursor's holder has not seen; None if unknown."""
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
                # Messages are dropped in the order in which they arrived.
                left = self._by_topic[message.topic]
                left.popleft()
                if not left:
                    del self._by_topic[message.topic]
        self._cursors.pop(self._start, None)
        self._start = position
        self._cursors[position] = None


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.messages) for record in records)
