"""Draining: letting a process's clients go to others before it ends, without a rush and a gap.

A draining process lets nobody in, and closes those who are there with 4503, a few at a time. Until
it has, it goes on hearing and telling. Clients come back after a jittered wait, to another process
if the load balancer knows of one, with their cursors: they are told what came meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from realtime.connections.registry import Connections
from realtime.protocol import CloseCode

logger = logging.getLogger("realtime.draining")

STEP = 0.05
"""Seconds between lots of connections that are closed together, at least."""

AGAIN = 1.0
"""Seconds between looks for those who have not gone."""


class Drain:
    """Closes all connections of an event loop, which owns it, and lets none in meanwhile.

    If its task dies nobody is let in still: `connections.draining` says so, until `end()`.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._closing: asyncio.Task[None] | None = None

    def begin(self, seconds: float) -> None:
        """Let nobody in from now on, and close those who are there, spread over so many seconds.

        Called in the event loop. Called again, it begins to close anew, at the new pace.
        """
        connections = self._connections
        self.stop()
        if not connections.draining:
            logger.warning("draining: %d connections are closed in %g s", len(connections), seconds)
        connections.draining = True
        self._closing = asyncio.create_task(_empty(connections, seconds), name="realtime-draining")

    def end(self) -> None:
        """Let clients in again; those who were not closed yet stay."""
        self.stop()
        if self._connections.draining:
            logger.warning("draining no longer; %d connections are left", len(self._connections))
        self._connections.draining = False

    def stop(self) -> None:
        """Close no more of them; whether others are let in stays as it is."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


async def _empty(connections: Connections, seconds: float) -> None:
    await _close_spread(connections, seconds)
    # Nobody is added any longer: transports ask and add without waiting for anything in between. To
    # those that are closing already it is nothing new.
    while len(connections):
        _close(connections, [each.id for each in connections])
        await asyncio.sleep(AGAIN)


async def _close_spread(connections: Connections, seconds: float) -> None:
    """Close all who are there now, at an even pace."""
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
