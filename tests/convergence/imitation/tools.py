"""What a client takes from its surroundings."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.convergence.imitation.http import NotAnswered

Event = tuple[float, str, dict[str, Any]]


@dataclass
class Tools:
    """One client's clock, chance and notebook."""

    random: Random
    pace: float = 1.0
    """By how much the waits of the client in the browser are shortened."""
    careless: bool = False
    """Does the client apply answers in the order in which they come?"""
    news: Callable[[], None] = lambda: None
    """Called whenever something happened."""
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=120))
    counts: Counter[str] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def note(self, kind: str, **what: Any) -> None:
        """Remember what happened, for whoever has to understand it afterwards."""
        self.events.append((time.monotonic(), kind, what))
        self.counts[kind] += 1
        self.news()

    def later(self, seconds: float, run: Callable[[], object]) -> asyncio.TimerHandle:
        """Call `run` after so many seconds of a browser's time."""
        return asyncio.get_running_loop().call_later(seconds * self.pace, run)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside; a mistake in it is noted."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def end(self) -> None:
        """Stop all that runs beside."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, NotAnswered):
            self.note("mistake", error=repr(error))


class Backoff:
    """`backoff.js`: exponential, with full jitter."""

    def __init__(self, tools: Tools, base: float = 1.0, cap: float = 30.0) -> None:
        self.cap = cap
        self._base = base
        self._random = tools.random
        self._failures = 0

    def next(self, spread: float = 0.0) -> float:
        """Count one failure and return the seconds to wait after it."""
        ceiling = min(self.cap, self._base * 2 ** min(self._failures, 30))
        self._failures += 1
        return self._random.random() * max(spread, ceiling)

    def reset(self) -> None:
        """Forget the failures."""
        self._failures = 0
