"""Tasks that end together, calls in threads, and pauses between attempts."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NoReturn, ParamSpec, TypeVar

from django.db import close_old_connections

from realtime.conf import conf
from realtime.exceptions import UpstreamLost

RECANCEL_AFTER = 1.0
"""Seconds after which a task that has not ended is cancelled again."""


async def end(*tasks: asyncio.Future[Any], again: float | None = None) -> None:
    """Cancel tasks and wait until all have ended; their errors are dropped.

    Some libraries swallow a cancellation: `asyncio.wait_for` does before Python 3.12, if it arrives
    as the wait ends. A caller that waited for such a task would wait for ever. So tasks are
    cancelled `again` after some seconds: more than they may need to clean up, ends of other tasks
    included.
    """
    pause = RECANCEL_AFTER if again is None else again
    pending: set[asyncio.Future[Any]] = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=pause)
        for task in done:
            if not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not log it


async def until_one_ends(*works: Coroutine[Any, Any, object]) -> NoReturn:
    """Run coroutines that have no end until one of them ends; raise its error.

    Raise UpstreamLost if it just ended, or if another task cancelled it: the end of a task must not
    go unnoticed. The others are cancelled and waited for.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    raise UpstreamLost("a task that must not end has ended")


class Backoff:
    """Pauses between attempts to reach a server or backend. Owner: the loop of the attempts.

    Full jitter: each pause is drawn between 0 and a ceiling, which doubles with each failure. So
    processes that lost the same server do not all reconnect at one moment.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._ceiling = first

    def next(self) -> float:
        """Return for how many seconds to pause now."""
        pause = random.uniform(0, self._ceiling)  # noqa: S311 -- jitter
        self._ceiling = min(2 * self._ceiling, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with short pauses again: an attempt succeeded."""
        self._ceiling = self._first


P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in the thread pool and return its result.

    Database connections of the pool's threads follow Django's own rules (CONN_MAX_AGE and health
    checks). Context variables are carried over.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    call = partial(context.run, between_requests, partial(function, *args, **kwargs))
    return await loop.run_in_executor(_pool(), call)


def between_requests(call: Callable[[], T]) -> T:
    """Call a function as Django calls a view: close too old connections before and after it."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(conf.RULE_THREADS, thread_name_prefix="realtime")
