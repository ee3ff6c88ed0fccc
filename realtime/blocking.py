"""Running code that blocks, or uses the ORM, off the event loop.

A small pool of its own, rather than asgiref's one sensitive thread: there a single slow query
would hold up everybody's. What projects write runs in another: see `realtime.access.rule_threads`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

from realtime.conf import conf

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
