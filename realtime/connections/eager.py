"""Running a coroutine at once, as far as it goes.

A server that has room takes a frame without waiting for anything. A task for each of a thousand
such sends would cost more than the sends. So a coroutine is begun where it is, and only one that
really waits becomes a task.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from types import CoroutineType
from typing import Any


def run_now(awaited: Awaitable[None]) -> asyncio.Task[None] | None:
    """Run a coroutine, or whatever else can be awaited, until it ends or waits.

    Return None if it ended, else the task that goes on.

    What it raises before it waits is raised here. Before Python 3.12 it must not ask which task it
    runs in, nor use what does (`asyncio.timeout`), before it has waited for the first time.
    """
    work = awaited if isinstance(awaited, CoroutineType) else _wait_for(awaited)
    return _start(work)


def _start_as_task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Start it as Python's own eager tasks do."""
    task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)  # type: ignore[call-arg,unused-ignore]
    if not task.done():
        return task
    task.result()
    return None


def _start_alone(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Step it by hand, and let a task do the rest."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    task = asyncio.get_running_loop().create_task(_go_on(_Rest(work, waits_for)))
    # A task that is cancelled before its first step never comes to what was begun.
    task.add_done_callback(lambda _: work.close())
    return task


class _Rest:
    """What is left of a coroutine that waits for something already."""

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait as it does, first for what it waits for now, and give it what comes of that."""
        waits_for = self._waits_for
        while True:
            try:
                result = yield waits_for
            except BaseException as error:
                step = partial(self._work.throw, error)
            else:
                step = partial(self._work.send, result)
            try:
                waits_for = step()
            except StopIteration:
                return


_start = _start_as_task if sys.version_info >= (3, 12) else _start_alone


async def _wait_for(awaited: Awaitable[None]) -> None:
    await awaited


async def _go_on(rest: _Rest) -> None:
    await rest
