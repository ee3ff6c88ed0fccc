"""Draining this process because somebody asked for it."""

from __future__ import annotations

import msgspec

from realtime.connections.drain import drain, take_in
from realtime.connections.registry import connections_of
from realtime.hub.hub import Hub
from realtime.status.process import process_name


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
