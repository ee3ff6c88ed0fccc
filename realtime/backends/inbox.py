"""A bounded queue into an event loop, for upstreams whose messages arrive in other threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from realtime.exceptions import UpstreamLost

T = TypeVar("T")


class Inbox(Generic[T]):
    """The items that arrived and were not taken yet.

    Owner: the event loop that made it. Other threads may use `call()` alone. When more than `most`
    messages wait, or after `lose()`, every `take()` raises UpstreamLost.
    """

    def __init__(self, most: int = 10_000) -> None:
        self.loop = asyncio.get_running_loop()
        self._most = most
        self._waiting: deque[T] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._lost: str | None = None

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run `function` on the owning loop, from any thread; do nothing if that loop is closed."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def put(self, items: Sequence[T], messages: int | None = None) -> None:
        """Add items, on the owning loop. They hold `messages` messages, or are one message each."""
        self._waiting.extend(items)
        self._size += len(items) if messages is None else messages
        if self._size > self._most:
            self.lose(f"more than {self._most} messages waited to be taken")
        if items:
            self._news.set()

    def lose(self, why: str) -> None:
        """Record, on the owning loop, that messages may be missing from here on."""
        self._lost = self._lost or why
        self._waiting.clear()
        self._news.set()

    async def take(self) -> list[T]:
        """Wait for an item, then take all items."""
        await self._news.wait()
        self.check()
        self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._size = 0
        return taken

    @property
    def is_lost(self) -> bool:
        """True if messages may be missing."""
        return self._lost is not None

    def check(self) -> None:
        """Raise UpstreamLost if messages may be missing."""
        if self._lost is not None:
            raise UpstreamLost(self._lost)
