"""What a process that serves says of itself."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import msgspec

from realtime.backends.outbox.process import relay_status
from realtime.backends.outbox.stats import RelayStatus
from realtime.ops.sections import sections_here
from realtime.server import Server

_began = time.monotonic()


def process_name() -> str:
    """Return how this process is named among others: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


class ProcessStatus(msgspec.Struct, frozen=True):
    """A process: its host and number, seconds since it began, its hub and its relay.

    `topics` counts what is watched in it, `connections` its clients. A process whose backend needs
    no outbox has no relay. One that is draining accepts no client.
    `sections` are what other packages report, if there are any.
    """

    host: str
    pid: int
    seconds: float
    topics: int
    connections: int
    relay: RelayStatus | None
    draining: bool = False
    sections: dict[str, dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET

    @property
    def process(self) -> str:
        """Its name among others: `host:pid`."""
        return f"{self.host}:{self.pid}"


def status_of(server: Server) -> ProcessStatus:
    """Return how the process of this server does."""
    connections = server.connections
    return ProcessStatus(
        host=socket.gethostname(),
        pid=os.getpid(),
        seconds=round(time.monotonic() - _began, 1),
        topics=server.hub.topic_count(),
        connections=len(connections),
        relay=relay_status(),
        draining=connections.draining,
        sections=sections_here(server) or msgspec.UNSET,
    )


class Drained(msgspec.Struct, frozen=True):
    """A process that drains from now on, or no longer; and how many connections it still has."""

    process: str
    draining: bool
    connections: int


def drain_here(server: Server, seconds: float = 10.0, off: bool = False) -> Drained:
    """Begin to drain, or end it."""
    if off:
        server.drain.end()
    else:
        server.drain.begin(seconds)
    return drained_here(server)


def drained_here(server: Server) -> Drained:
    """Say how far it is."""
    connections = server.connections
    return Drained(process_name(), connections.draining, len(connections))
