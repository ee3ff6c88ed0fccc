"""Tasks that live and die together."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NoReturn, ParamSpec, TypeVar

from django.db import close_old_connections

from realtime.conf import conf
from realtime.exceptions import UpstreamLost

AGAIN = 1.0
"""Seconds after which a task that goes on is cancelled once more."""


async def end(*tasks: asyncio.Future[Any], again: float | None = None) -> None:
    """Cancel tasks and wait until all have ended; what they raise is dropped.

    Some libraries forget a cancellation: `asyncio.wait_for` does before Python 3.12, when it comes
    as the wait ends. Whoever waited for such a task would wait for ever. So they are cancelled
    `again` after some seconds: more than they may need to clean up, ends of other tasks included.
    """
    pause = AGAIN if again is None else again
    pending: set[asyncio.Future[Any]] = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=pause)
        for task in done:
            if not task.cancelled():
                task.exception()  # so that it is not logged as never looked at


async def until_one_ends(*works: Coroutine[Any, Any, object]) -> NoReturn:
    """Run works that have no end until one of them ends; raise what it raised.

    Or UpstreamLost if it just ended, or was cancelled by somebody else: a task that is gone must
    not be missed by nobody. The others are cancelled and waited for.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    raise UpstreamLost("a task that listens, or sees that all is well, ended by itself")


P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in the pool and return what it returns.

    Connections of the pool's threads live by Django's own rules (CONN_MAX_AGE and health checks).
    Context variables are carried over.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    call = partial(context.run, between_requests, partial(function, *args, **kwargs))
    return await loop.run_in_executor(_pool(), call)


def between_requests(call: Callable[[], T]) -> T:
    """Call something as Django calls a view: connections that are too old are closed around it."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(conf.RULE_THREADS, thread_name_prefix="realtime")
