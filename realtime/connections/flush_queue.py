"""Letting mailboxes be emptied behind what filled them.

A message for a thousand clients fills a thousand mailboxes; what came with it, in the same moment,
is merged there before anything is written. And a thousand writes do not hold up everything else:
after some milliseconds others have their turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Protocol

SLICE = 0.005
"""Seconds of writing after which the event loop does something else."""

AT_ONCE = 16
"""Mailboxes between looks at the clock."""


class Flushes(Protocol):
    """Has something to write."""

    def flush(self) -> None:
        """Write it, without waiting for anybody."""


class FlushQueue:
    """What has something to write, in the order in which it was added. Owner: an event loop."""

    def __init__(self) -> None:
        self._ready: dict[Flushes, None] = {}
        self._running: deque[Flushes] = deque()
        self._is_planned = False

    def add(self, each: Flushes) -> None:
        """Let `each` write soon; once, however often it is added meanwhile."""
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
