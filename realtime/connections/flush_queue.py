"""Write the mailboxes' messages in a later turn of the event loop, some milliseconds at a time.

A message for a thousand clients fills a thousand mailboxes. Messages that arrive together are
merged there before any is written. Between slices of writing the event loop runs other callbacks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Protocol

SLICE = 0.005
"""Seconds of writing after which other callbacks of the event loop run."""

AT_ONCE = 16
"""Flushes between two readings of the clock."""


class Flushes(Protocol):
    """A writer that has messages to write."""

    def flush(self) -> None:
        """Write them without blocking."""


class FlushQueue:
    """The writers that have messages to write, in the order of `add()`. Owner: an event loop."""

    def __init__(self) -> None:
        self._ready: dict[Flushes, None] = {}
        self._running: deque[Flushes] = deque()
        self._is_planned = False

    def add(self, each: Flushes) -> None:
        """Call `flush()` of this writer soon: once, however often it is added until then."""
        self._ready[each] = None
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_planned = False
        if not self._running:
            self._running.extend(self._ready)
            self._ready.clear()
        until = perf_counter() + SLICE
        while self._running:
            for _ in range(min(AT_ONCE, len(self._running))):
                self._running.popleft().flush()
            if perf_counter() > until:
                break
        if self._running or self._ready:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._run)
