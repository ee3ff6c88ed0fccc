"""What the tests of the transports over HTTP share with those of the websocket."""

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
    """A position that this process has heard everything after."""
    server_of().hub.start()
    await until(lambda: server_of().hub.is_connected)
    return str(await aposition())
