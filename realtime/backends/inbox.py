"""A bounded way into an event loop, for upstreams that hear of messages in other threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from realtime.exceptions import UpstreamLost
from realtime.messages import Message


class Inbox:
    """Messages that arrived and that the hub has not taken yet.

    Owner: the event loop it was made on. `call()` alone may be used from other threads. When more
    than `most` messages wait, or after `lose()`, `take()` raises UpstreamLost, for good.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()
        self._lost: str | None = None

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run `function` on the owning loop, from any thread; a closed loop hears nothing."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def put(self, messages: Sequence[Message]) -> None:
        """Add messages, on the owning loop."""
        self._waiting.extend(messages)
        if len(self._waiting) > self._most:
            self.lose(f"more than {self._most} messages waited to be taken")
        if messages:
            self._news.set()

    def lose(self, why: str) -> None:
        """Declare that messages may be missing from here on, on the owning loop."""
        self._lost = self._lost or why
        self._waiting.clear()
        self._news.set()

    async def take(self) -> list[Message]:
        """Wait for messages and take all that wait."""
        await self._news.wait()
        self.check()
        self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def check(self) -> None:
        """Raise UpstreamLost if messages may be missing."""
        if self._lost is not None:
            raise UpstreamLost(self._lost)
