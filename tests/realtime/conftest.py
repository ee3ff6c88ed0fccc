"""Common parts of the tests of `realtime`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime.access import rules
from realtime.backends.memory import MemoryPubSub
from realtime.conf import conf
from realtime.hub import observers
from realtime.hub.hub import Hub


@pytest.fixture
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry without rules."""
    monkeypatch.setattr(rules, "_rules", {})


@pytest.fixture
def pubsub(request: pytest.FixtureRequest) -> MemoryPubSub:
    """A backend with a history of its own."""
    return MemoryPubSub(name=f"{request.node.nodeid} {id(request)}")


@pytest_asyncio.fixture
async def hub(pubsub: MemoryPubSub) -> AsyncIterator[Hub]:
    """A hub on that backend."""
    hub = Hub(pubsub)
    yield hub
    await asyncio.wait_for(hub.close(), 30)


@pytest.fixture(autouse=True)
def no_observers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only subscribers see messages."""
    monkeypatch.setattr(observers, "_observers", [])


@pytest.fixture
def no_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic without subscribers is unwatched at once."""
    monkeypatch.setitem(conf.__dict__, "LINGER", 0)
