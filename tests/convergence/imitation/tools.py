"""`tools.js`: what a client takes from its surroundings; and the harness's notebook."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from tests.convergence.imitation.http import NotAnswered
from tests.convergence.leaks import Leaks

Event = tuple[float, str, dict[str, Any]]


class Timer(Protocol):
    """What is still to come, and can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The time, in seconds since 1970; it goes on while the machine sleeps."""

    def now(self) -> float: ...
    def later(self, seconds: float, run: Callable[[], object]) -> Timer: ...


class LoopClock:
    """The machine's own."""

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def later(self, seconds: float, run: Callable[[], object]) -> Timer:
        """Call `run` after so many seconds."""
        return asyncio.get_running_loop().call_later(seconds, run)


class Wire(Protocol):
    """The part of a websocket that is used."""

    def send(self, text: str) -> None: ...
    def close(self) -> None: ...


Opening = Callable[
    [str, Callable[[Any, str], None], Callable[[Any, int], None], "Tools"],
    Wire,
]
"""What opens a websocket: to an URL, with whom to call for a text and for its end."""


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
    cookie: str = ""
    """Sent with each request."""
    clock: Clock = field(default_factory=LoopClock)
    socket: Opening | None = None
    """Opens another one than the real, for tests."""
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=120))
    counts: Counter[str] = field(default_factory=Counter)
    leaks: Leaks = field(default_factory=Leaks)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _has_ended: bool = False

    def note(self, kind: str, **what: Any) -> None:
        """Remember what happened, for whoever has to understand it afterwards."""
        self.events.append((time.monotonic(), kind, what))
        self.counts[kind] += 1
        self.news()

    def now(self) -> float:
        """Return a browser's time, in seconds."""
        return self.clock.now() / self.pace

    def later(self, seconds: float, run: Callable[[], object]) -> Timer:
        """Call `run` after so many seconds of a browser's time."""
        return self.clock.later(seconds * self.pace, lambda: self._has_ended or run())

    def soon(self, run: Callable[[], object]) -> None:
        """Call `run` at the end of this turn, as `queueMicrotask` does."""
        asyncio.get_running_loop().call_soon(run)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside; a mistake in it is noted."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def end(self) -> None:
        """Stop all that runs beside, and begin nothing more."""
        self._has_ended = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, NotAnswered):
            self.note("mistake", error=repr(error))


class Alarm:
    """A timer that is set again and again: at most one waits."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._timer: Timer | None = None

    def set(self, seconds: float, run: Callable[[], None]) -> None:
        """Call `run` after so many seconds of a browser's time, and nothing that was set before."""
        self.clear()
        self._timer = self._tools.later(seconds, run)

    def clear(self) -> None:
        """Call nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
