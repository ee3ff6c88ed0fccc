"""Tasks that live and die together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

from realtime.exceptions import UpstreamLost


async def until_one_ends(*works: Coroutine[Any, Any, object]) -> NoReturn:
    """Run works that have no end until one of them ends; raise what it raised.

    Or UpstreamLost if it just ended, or was cancelled by somebody else: a task that is gone must
    not be missed by nobody. The others are cancelled and waited for.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    raise UpstreamLost("a task that listens, or sees that all is well, ended by itself")
