"""Common parts of the HTTP transports' tests, shared with the websocket's."""

from __future__ import annotations

import pytest_asyncio

from demo_todo.models import TodoList
from realtime import aposition
from realtime.server import server_of
from tests.realtime.hub.listening import until
from tests.realtime.websocket.conftest import (  # noqa: F401 -- fixtures
    ada,
    fresh_server,
    rules,
    shopping,
    topic,
)


@pytest_asyncio.fixture
async def since(shopping: TodoList) -> str:  # noqa: F811 -- the fixture above
    """A position after which this process has received every message."""
    server_of().hub.start()
    await until(lambda: server_of().hub.is_connected)
    return str(await aposition())
