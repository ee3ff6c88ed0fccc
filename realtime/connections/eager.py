"""Run a coroutine at once, and make a task of it only if it waits.

A server whose buffer has room takes a frame without waiting. Tasks for a thousand such sends would
cost more than the sends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from types import CoroutineType
from typing import Any


def run_now(awaited: Awaitable[None]) -> asyncio.Task[None] | None:
    """Run an awaitable until it ends or waits; return None if it ended, else the task of the rest.

    An exception before its first wait is raised here. Before Python 3.12 the awaitable must not use
    the current task before its first wait: `asyncio.timeout` does.
    """
    work = awaited if isinstance(awaited, CoroutineType) else _wait_for(awaited)
    return _start(work)


def _start_as_task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Use the eager tasks of Python 3.12."""
    task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)  # type: ignore[call-arg,unused-ignore]
    if not task.done():
        return task
    task.result()
    return None


def _start_alone(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run the first step without a task, and the rest in one."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    task = asyncio.get_running_loop().create_task(_go_on(_Rest(work, waits_for)))
    # A task cancelled before its first step never resumes the coroutine: close it.
    task.add_done_callback(lambda _: work.close())
    return task


class _Rest:
    """The rest of a coroutine that waits for a future already."""

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        """Yield the coroutine's futures, first the present one, and pass it their results."""
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
