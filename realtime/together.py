"""Tasks that live and die together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

from realtime.exceptions import UpstreamLost

AGAIN = 1.0
"""Seconds after which a task that goes on is cancelled once more."""


async def end(*tasks: asyncio.Task[Any], again: float | None = None) -> None:
    """Cancel tasks and wait until all have ended; what they raise is dropped.

    Some libraries forget a cancellation: `asyncio.wait_for` does before Python 3.12, when it comes
    as the wait ends. Whoever waited for such a task would wait for ever. So they are cancelled
    `again` after some seconds: more than they may need to clean up, ends of other tasks included.
    """
    pause = AGAIN if again is None else again
    pending: set[asyncio.Task[Any]] = set(tasks)
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
