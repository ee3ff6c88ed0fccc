"""Status and drain of this process, as replies to operators' calls."""

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
    """Return this process's name: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


class ProcessStatus(msgspec.Struct, frozen=True):
    """A serving process: its host and pid, its age in seconds, its hub and its relay.

    `topics` and `connections` are numbers: topics with subscribers, and clients. A process whose
    backend needs no outbox has no relay. A draining process refuses clients. `sections` are the
    reports of other packages, if there are any.
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
        """The process's name: `host:pid`."""
        return f"{self.host}:{self.pid}"


def status_of(server: Server) -> ProcessStatus:
    """Return the status of this process, with the numbers of this server."""
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
    """Whether a process drains now, and how many connections it still has."""

    process: str
    draining: bool
    connections: int


def drain_here(server: Server, seconds: float = 10.0, off: bool = False) -> Drained:
    """Begin to drain over `seconds`, or with `off` end it."""
    if off:
        server.drain.end()
    else:
        server.drain.begin(seconds)
    return drained_here(server)


def drained_here(server: Server) -> Drained:
    """Return how far the drain is."""
    connections = server.connections
    return Drained(process_name(), connections.draining, len(connections))
