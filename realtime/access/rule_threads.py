"""Threads for what projects write: rules, and whatever else of theirs may block.

They are not those in which backends read. A rule that hangs keeps its thread for ever, since a
thread cannot be ended; so it is given up, and another takes its place. One that hangs again and
again is not called any longer, so that it leaves threads for the others.
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
"""How many times RULE_THREADS there may be, while the others hang."""

MOST_INSIDE = 2
"""How many times RULE_THREADS may be in one function: half of them at least are late then."""

_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def in_time(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread and return what it returns. Raise TimeoutError if it hangs.

    RULE_THREADS run at a time, each for RULE_TIMEOUT at most. Connections to the database live by
    Django's own rules (CONN_MAX_AGE and health checks). Context variables are carried over.
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
    """Await what projects write; raise TimeoutError if it hangs, whatever it does when cancelled.

    In a task of its own: one that goes on all the same is not waited for, and not heard.
    """
    return await _result_in_time(asyncio.create_task(work))


@contextmanager
def inside(function: object) -> Iterator[None]:
    """Take note that this thread calls a function of the project's.

    Raise TimeoutError for one that hangs in as many threads as it may: it would hang in another.
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
        running.cancel()  # what has not begun never will


def _note_result(running: asyncio.Future[Any]) -> None:
    if not running.cancelled():
        running.exception()  # nobody may be there any longer to hear of it


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SPARE * conf.RULE_THREADS, thread_name_prefix="realtime-rules")
