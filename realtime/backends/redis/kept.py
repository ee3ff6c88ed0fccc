"""How much is remembered of what was heard, for those who come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from realtime.backends.redis.watched import Watched
from realtime.backends.redis.wire import Sent

MOST = 20_000
"""Messages, and rows that they name, that a node remembers; a message with ten rows is eleven."""


class Kept:
    """The order in which the topics of a node have heard what they remember. Owner: the node.

    Of all of them together the oldest is forgotten first: a few busy topics may have all the room.
    """

    def __init__(self) -> None:
        self._order: deque[tuple[Watched, int]] = deque()
        self._size = 0

    def add(self, watched: Watched, heard: Iterable[Sent]) -> None:
        """Note what a topic remembers since now; let go of the oldest of all."""
        for sent in heard:
            size = 1 + sum(map(len, sent.message.changes.values()))
            self._order.append((watched, size))
            self._size += size
        while self._size > MOST:
            oldest, size = self._order.popleft()
            self._size -= size
            oldest.forget()

    def clear(self) -> None:
        """Forget that there was anything, as the topics have."""
        self._order.clear()
        self._size = 0
