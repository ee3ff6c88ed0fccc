"""Draining: its effects on the connections of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from realtime.backends.memory import MemoryPubSub
from realtime.connections import drain as draining
from realtime.connections.connection import Connection
from realtime.connections.registry import Connections
from realtime.protocol import CloseCode
from realtime.server import Server
from tests.realtime.hub.listening import until
from tests.realtime.transports import FakeTransport, connection_of


class Closing(FakeTransport):
    """A transport that ends its connection when it is closed, and records the time."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self.connections = connections
        self.connection: Connection | None = None
        self.at = 0.0
        self.is_stubborn = False

    async def close(self, code: CloseCode) -> None:
        await super().close(code)
        self.at = self.at or asyncio.get_running_loop().time()
        if not self.is_stubborn and self.connection is not None:
            self.connections.remove(self.connection)


@pytest.fixture
def server(pubsub: MemoryPubSub) -> Server:
    """A server that `server_of()` does not find."""
    return Server(pubsub)


@pytest.fixture
async def clients(server: Server) -> AsyncIterator[list[Closing]]:
    """Ten connections; the server accepts clients again at the end."""
    connections = server.connections
    transports = [Closing(connections) for _ in range(10)]
    for each in transports:
        each.connection = connection_of(None, server.hub, each)
        connections.add(each.connection)
    yield transports
    server.drain.end()
    for connection in connections:
        connections.remove(connection)


async def test_all_are_closed_and_new_ones_are_refused(
    server: Server, clients: list[Closing]
) -> None:
    """The close code tells clients to reconnect with their cursors."""
    assert server.connections.why_not() is None

    server.drain.begin(0.01)

    assert server.connections.why_not() is CloseCode.DRAINING
    await until(lambda: not len(server.connections))
    assert {each.closed for each in clients} == {CloseCode.DRAINING}


async def test_the_closing_is_spread(server: Server, clients: list[Closing]) -> None:
    """Clients reconnect elsewhere one after another, not all at once."""
    with mock.patch.object(draining, "STEP", 0.0):
        server.drain.begin(0.2)
        await until(lambda: not len(server.connections))

    times = [each.at for each in clients]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 0.15


async def test_connections_that_stay_are_closed_again(
    server: Server, clients: list[Closing]
) -> None:
    """Until none is left."""
    clients[3].is_stubborn = True
    with mock.patch.object(draining, "AGAIN", 0.001):
        server.drain.begin(0.01)
        await until(lambda: len(server.connections) == 1)
        clients[3].is_stubborn = False
        await until(lambda: not len(server.connections))


async def test_it_can_be_undone(server: Server, clients: list[Closing]) -> None:
    """Connections that were not closed yet stay, and new ones are accepted."""
    server.drain.begin(100)
    await until(lambda: clients[0].closed)

    server.drain.end()

    assert server.connections.why_not() is None
    await asyncio.sleep(0)
    assert len(server.connections) == 9


async def test_a_second_call_goes_on_at_the_new_pace(
    server: Server, clients: list[Closing]
) -> None:
    """A call may arrive twice, and an operator may want it faster."""
    server.drain.begin(100)
    server.drain.begin(0.01)

    await until(lambda: not len(server.connections))
