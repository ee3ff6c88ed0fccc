"""Fixtures and fakes of the tests of access."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from realtime.access import rule_threads
from realtime.backends.memory import MemoryPubSub
from realtime.connections.connection import Connection
from realtime.hub.hub import Hub
from tests.realtime.fakes import FakePubSub
from tests.realtime.transports import connection_of

PATIENCE = 30.0


class Who:
    """A user of these tests."""

    is_authenticated = True

    def __init__(self, pk: str = "1", *, is_staff: bool = False) -> None:
        self.pk = pk
        self.is_staff = is_staff


ADA = Who()


class Stuck:
    """A function that hangs in its thread until the end of the test."""

    def __init__(self) -> None:
        self.calls = 0
        self._over = threading.Event()

    def __call__(self, user: object, key: str) -> bool:
        self.calls += 1
        self._over.wait()
        return True

    def let_go(self) -> None:
        self._over.set()


@pytest.fixture(autouse=True)
def rules(no_rules: None, no_linger: None) -> None:
    """Only the rules of the test; topics are unwatched at once."""


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    found = Stuck()
    yield found
    found.let_go()


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Records every call that runs in a thread."""
    seen: list[object] = []
    hop = rule_threads.in_time

    async def count(function: object, *args: object) -> object:
        seen.append(function)
        return await hop(function, *args)  # type: ignore[arg-type]

    for module in ("evaluate", "identity"):
        monkeypatch.setattr(f"realtime.access.{module}.in_time", count)
    return seen


@pytest_asyncio.fixture
async def fake_hub() -> AsyncIterator[Hub]:
    """A hub on a backend whose every step the test can hold up."""
    hub = Hub(FakePubSub())
    yield hub
    await asyncio.wait_for(hub.close(), PATIENCE)


@asynccontextmanager
async def of_ada(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Yield Ada's connection, whose user is loaded anew at each check; end it afterwards."""

    async def look(scope: object) -> object:
        return found.identity

    monkeypatch.setattr("realtime.access.identity.identify", look)
    found = connection_of(ADA, hub)
    yield found
    await found.let_go()
    assert not hub._subscribers.wanted(), "left behind"


@pytest_asyncio.fixture
async def connection(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Ada's connection."""
    async with of_ada(hub, monkeypatch) as found:
        yield found


def send(hub: Hub, *messages: object) -> None:
    """Send messages by a hub's backend."""
    pubsub = hub._pubsub
    assert isinstance(pubsub, MemoryPubSub)
    pubsub.send_now(messages)  # type: ignore[arg-type]


async def until(condition: object) -> None:
    """Wait until a condition is true."""

    async def wait() -> None:
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.001)

    await asyncio.wait_for(wait(), PATIENCE)
