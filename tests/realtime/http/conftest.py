"""What the tests of the transports over HTTP share with those of the websocket."""

from __future__ import annotations

import pytest

from realtime import observers
from realtime.access.endings import endings
from tests.realtime.websocket.conftest import (  # noqa: F401 -- fixtures
    ada,
    fresh_hub,
    rules,
    shopping,
    topic,
)


@pytest.fixture(autouse=True)
def noticed_endings(no_observers: None) -> None:
    """Who logs out is sent away, as in any project."""
    observers.register(endings)
