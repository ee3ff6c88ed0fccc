"""A process that serves and answers: this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime.hub import observers
from realtime.hub.hub import close_hub, get_hub
from realtime.ops.rpc import Answering
from tests.realtime.hub.listening import until


@asynccontextmanager
async def serving_here() -> AsyncIterator[None]:
    """Let this event loop's hub listen and answer."""
    observers.register(Answering())
    hub = get_hub()
    hub.start()
    await until(lambda: hub._upstream is not None)
    yield
    await close_hub()
