"""Threads for what projects write: rules, and whatever else of theirs may block.

They are not those in which backends read. A rule that hangs keeps its thread for ever, since a
thread cannot be ended; so it is given up, and another takes its place, up to a bound. Whoever waits
for a thread waits a few seconds at most.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from realtime.blocking import between_requests
from realtime.conf import conf

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("realtime.access")

SPARE = 8
"""How many times RULE_THREADS there may be, while the others hang."""

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
        done, _ = await asyncio.wait([running], timeout=conf.RULE_TIMEOUT)
        if not done:
            running.cancel()  # if it has not begun, it never will
            raise TimeoutError
        return running.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SPARE * conf.RULE_THREADS, thread_name_prefix="realtime-rules")
