"""Serve in this process and answer operators' calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime.hub import observers
from realtime.ops.rpc import Answering
from realtime.server import close_server, server_of
from tests.realtime.hub.listening import until


@asynccontextmanager
async def serving_here() -> AsyncIterator[None]:
    """Let this event loop's hub listen and answer."""
    observers.register(Answering())
    hub = server_of().hub
    hub.start()
    await until(lambda: hub._upstream is not None)
    yield
    await close_server()
