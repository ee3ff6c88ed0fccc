"""What a process that serves says of itself."""

from __future__ import annotations

import os
import socket
import time

import msgspec

from realtime.connections import connections_of
from realtime.hub import Hub
from realtime.outbox.process import relay_status
from realtime.outbox.relay_status import RelayStatus

_began = time.monotonic()


class ProcessStatus(msgspec.Struct, frozen=True):
    """A process: its host and number, seconds since it began, its hub and its relay.

    `topics` counts those that somebody here watches, `connections` who does. A process
    whose backend needs no outbox has no relay.
    """

    host: str
    pid: int
    seconds: float
    topics: int
    connections: int
    relay: RelayStatus | None


def status_of(hub: Hub) -> ProcessStatus:
    """Return how the process of this hub does."""
    return ProcessStatus(
        host=socket.gethostname(),
        pid=os.getpid(),
        seconds=round(time.monotonic() - _began, 1),
        topics=hub.topic_count(),
        connections=len(connections_of(hub)),
        relay=relay_status(),
    )
