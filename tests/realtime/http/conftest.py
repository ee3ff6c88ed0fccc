"""Common parts of the HTTP transports' tests, shared with the websocket's."""

from __future__ import annotations

import pytest
import pytest_asyncio

from demo_todo.models import TodoList
from realtime import aposition
from realtime.connections.revocation import revocation
from realtime.hub import observers
from realtime.hub.hub import get_hub
from tests.realtime.hub.listening import until
from tests.realtime.websocket.conftest import (  # noqa: F401 -- fixtures
    ada,
    fresh_hub,
    rules,
    shopping,
    topic,
)


@pytest.fixture(autouse=True)
def noticed_endings(no_observers: None) -> None:
    """A logout closes the user's connections, as in any project."""
    observers.register(revocation)


@pytest_asyncio.fixture
async def since(shopping: TodoList) -> str:  # noqa: F811 -- the fixture above
    """A position after which this process has received every message."""
    get_hub().start()
    await until(lambda: get_hub().is_connected)
    return str(await aposition())
