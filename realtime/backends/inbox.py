"""A bounded way into an event loop, for upstreams that hear of messages in other threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from realtime.exceptions import UpstreamLost

T = TypeVar("T")


class Inbox(Generic[T]):
    """What arrived and was not taken yet.

    Owner: the event loop it was made on. `call()` alone may be used from other threads. When more
    than `most` messages wait, or after `lose()`, `take()` raises UpstreamLost, for good.
    """

    def __init__(self, most: int = 10_000) -> None:
        self.loop = asyncio.get_running_loop()
        self._most = most
        self._waiting: deque[T] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._lost: str | None = None

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run `function` on the owning loop, from any thread; a closed loop hears nothing."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def put(self, items: Sequence[T], messages: int | None = None) -> None:
        """Add items, on the owning loop; they hold so many messages, or are messages."""
        self._waiting.extend(items)
        self._size += len(items) if messages is None else messages
        if self._size > self._most:
            self.lose(f"more than {self._most} messages waited to be taken")
        if items:
            self._news.set()

    def lose(self, why: str) -> None:
        """Declare that messages may be missing from here on, on the owning loop."""
        self._lost = self._lost or why
        self._waiting.clear()
        self._news.set()

    async def take(self) -> list[T]:
        """Wait for something and take all that waits."""
        await self._news.wait()
        self.check()
        self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._size = 0
        return taken

    @property
    def is_lost(self) -> bool:
        """May messages be missing?"""
        return self._lost is not None

    def check(self) -> None:
        """Raise UpstreamLost if messages may be missing."""
        if self._lost is not None:
            raise UpstreamLost(self._lost)
