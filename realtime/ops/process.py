"""What a process that serves says of itself."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import msgspec

from realtime.backends.outbox.process import relay_status
from realtime.backends.outbox.stats import RelayStatus
from realtime.connections.drain import drain, take_in
from realtime.connections.registry import connections_of
from realtime.hub.hub import Hub
from realtime.ops.sections import sections_here

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


def status_of(hub: Hub) -> ProcessStatus:
    """Return how the process of this hub does."""
    connections = connections_of(hub)
    return ProcessStatus(
        host=socket.gethostname(),
        pid=os.getpid(),
        seconds=round(time.monotonic() - _began, 1),
        topics=hub.topic_count(),
        connections=len(connections),
        relay=relay_status(),
        draining=connections.draining,
        sections=sections_here(hub) or msgspec.UNSET,
    )


class Drained(msgspec.Struct, frozen=True):
    """A process that drains from now on, or no longer; and how many connections it still has."""

    process: str
    draining: bool
    connections: int


def drain_here(hub: Hub, seconds: float = 10.0, off: bool = False) -> Drained:
    """Begin to drain, or end it."""
    if off:
        take_in(hub)
    else:
        drain(hub, seconds)
    return drained_here(hub)


def drained_here(hub: Hub) -> Drained:
    """Say how far it is."""
    connections = connections_of(hub)
    return Drained(process_name(), connections.draining, len(connections))
