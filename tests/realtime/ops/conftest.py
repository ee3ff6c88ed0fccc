"""Fixtures of the tests of operators' calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from realtime.backends.memory import MemoryPubSub
from realtime.server import Server


@pytest_asyncio.fixture
async def server(pubsub: MemoryPubSub) -> AsyncIterator[Server]:
    """A server on the test's own backend; `server_of()` does not find it."""
    server = Server(pubsub)
    yield server
    await asyncio.wait_for(server.close(), 30)
