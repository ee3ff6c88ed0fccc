"""Threads and timeouts for the project's functions: rules, and others that may block.

Backends read in other threads. A rule that hangs keeps its thread, since Python cannot end one; so
that thread is given up, and another takes its place. A rule that hangs in too many threads is not
called any longer, so that it leaves threads for other rules.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from realtime.concurrency import between_requests
from realtime.conf import conf

P = ParamSpec("P")
T = TypeVar("T")

SPARE = 8
"""Threads at most, in multiples of RULE_THREADS: spare ones replace those that hang."""

MOST_INSIDE = 2
"""Threads at most in one function, in multiples of RULE_THREADS: at least half of them hang."""

_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def in_time(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread and return its result. Raise TimeoutError after RULE_TIMEOUT.

    RULE_THREADS calls run at a time. Database connections follow Django's rules (CONN_MAX_AGE and
    health checks). Context variables are copied into the thread.
    """
    loop = asyncio.get_running_loop()
    places = _places.get(loop)
    if places is None:
        places = _places[loop] = asyncio.Semaphore(conf.RULE_THREADS)
    context = contextvars.copy_context()
    call = partial(context.run, between_requests, partial(function, *args, **kwargs))
    async with places:
        running = loop.run_in_executor(_pool(), call)
        return await _result_in_time(running)


async def await_in_time(work: Coroutine[Any, Any, T]) -> T:
    """Await a project's coroutine; raise TimeoutError after RULE_TIMEOUT.

    It runs in a task of its own: if it ignores its cancellation, it is not waited for, and its
    result is dropped.
    """
    return await _result_in_time(asyncio.create_task(work))


@contextmanager
def inside(function: object) -> Iterator[None]:
    """Count this thread's call of a project's function.

    Raise TimeoutError if the function runs in the maximum of threads already.
    """
    which = id(function)  # it need not be hashable
    with _lock:
        if _inside[which] >= MOST_INSIDE * conf.RULE_THREADS:
            raise TimeoutError(f"{function!r} hangs in {_inside[which]} threads already")
        _inside[which] += 1
    try:
        yield
    finally:
        with _lock:
            _inside[which] -= 1
            if not _inside[which]:
                del _inside[which]


_inside: Counter[int] = Counter()
_lock = threading.Lock()


async def _result_in_time(running: asyncio.Future[T]) -> T:
    running.add_done_callback(_note_result)
    try:
        done, _ = await asyncio.wait([running], timeout=conf.RULE_TIMEOUT)
        if not done:
            raise TimeoutError
        return running.result()
    finally:
        running.cancel()  # a call that is still queued never starts


def _note_result(running: asyncio.Future[Any]) -> None:
    if not running.cancelled():
        running.exception()  # read here: after a timeout no caller waits for it


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SPARE * conf.RULE_THREADS, thread_name_prefix="realtime-rules")
