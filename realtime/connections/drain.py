"""Drain a process: move its clients to other processes before it ends.

A draining process refuses new connections and closes the existing ones with 4503, a few at a time.
Until then they receive messages as before. Clients reconnect after a jittered wait, to another
process if the load balancer has one. They send their cursors and receive the messages since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from realtime.connections.registry import Connections
from realtime.protocol import CloseCode

logger = logging.getLogger("realtime.draining")

STEP = 0.05
"""Seconds at least between batches of connections that are closed together."""

AGAIN = 1.0
"""Seconds between attempts to close the connections that are left."""


class Drain:
    """Closes all connections of an event loop, which owns it, and refuses new ones meanwhile.

    If its task dies, connections are still refused: `connections.draining` stays until `end()`.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._closing: asyncio.Task[None] | None = None

    def begin(self, seconds: float) -> None:
        """Refuse new connections, and close the existing ones spread over so many seconds.

        Call it in the event loop. A second call starts over, at the new pace.
        """
        connections = self._connections
        self.stop()
        if not connections.draining:
            logger.warning("draining: %d connections are closed in %g s", len(connections), seconds)
        connections.draining = True
        self._closing = asyncio.create_task(_empty(connections, seconds), name="realtime-draining")

    def end(self) -> None:
        """Admit clients again; connections that were not closed yet stay open."""
        self.stop()
        if self._connections.draining:
            logger.warning("draining no longer; %d connections are left", len(self._connections))
        self._connections.draining = False

    def stop(self) -> None:
        """Stop closing connections; `connections.draining` stays as it is."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


async def _empty(connections: Connections, seconds: float) -> None:
    await _close_spread(connections, seconds)
    # None is added any longer: transports check admission and add without an await in between.
    # Closing a connection twice has no effect.
    while len(connections):
        _close(connections, [each.id for each in connections])
        await asyncio.sleep(AGAIN)


async def _close_spread(connections: Connections, seconds: float) -> None:
    """Close all present connections at an even pace."""
    loop = asyncio.get_running_loop()
    began, names = loop.time(), [each.id for each in connections]
    total, closed = len(names), 0
    while closed < total:
        passed = loop.time() - began
        due = total if passed >= seconds else int(total * passed / seconds) + 1
        _close(connections, names[closed:due])
        closed = due
        if closed < total:
            await asyncio.sleep(max(STEP, seconds / total))


def _close(connections: Connections, names: Iterable[str]) -> None:
    for connection in filter(None, map(connections.get, names)):
        connection.spawn(connection.close(CloseCode.DRAINING))
