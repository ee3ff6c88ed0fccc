"""Give peers turns, and summarise the figures of their turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from benchmarks.sockets.stage import SERVERS

Record = dict[str, Any]
"""The figures of one turn by name, with its part, server, peer and run."""

CLIENT_IS_THE_LIMIT = 0.9
"""Share of a core. Above it the clients, not the server, may limit the figures."""

WITH_PYTHON = ("bare", "ours", "pubsub", "core")
"""Peers that run under any ASGI server."""


def turns(
    part: str,
    runs: int,
    competitors: Collection[tuple[str, str]],
    measure: Callable[[str, str], Record],
) -> list[Record]:
    """Give each peer and server a turn in each run, every other run in the opposite order."""
    found = []
    for run in range(runs):
        for peer, server in list(competitors)[:: -1 if run % 2 else 1]:
            figures = measure(peer, server)
            found.append({"part": part, "server": server, "peer": peer, "run": run, **figures})
    return found


def on_each_server(peers: Iterable[str]) -> list[tuple[str, str]]:
    """Return these peers, each with each server."""
    return [(peer, server) for server in SERVERS for peer in peers]


def median(records: Sequence[Record], figure: str, **which: str) -> float:
    """Return the median of a figure in the records of this server, this peer, or both."""
    found = [
        record[figure]
        for record in records
        if all(record[name] == value for name, value in which.items())
    ]
    return statistics.median(found)


def client_cpu(records: Sequence[Record], **which: str) -> str:
    """Return the clients' share of their core, marked where they may be the limit."""
    share = median(records, "client cpu", **which)
    return f"{share:.0%}{' (the limit)' if share > CLIENT_IS_THE_LIMIT else ''}"
