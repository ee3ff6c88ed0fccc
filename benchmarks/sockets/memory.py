"""What a socket that is subscribed, and hears nothing, takes of the server's memory."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import PEERS, SERVERS, Stage
from benchmarks.sockets.turns import Record, median, on_each_server, turns
from benchmarks.sockets.verdicts import Verdict

COMPETITORS = on_each_server(("bare", "ours", "pubsub"))
SETTLES = 1.0
"""Seconds in which what was needed to connect is let go."""

LIMIT = 0.7


def measure(size: Size) -> list[Record]:
    """Measure all peers, once: it hardly differs from run to run."""

    def turn(peer: str, server: str) -> Record:
        with Stage(peer, server) as stage:
            # These make what all share, and the room that the allocator keeps.
            stage.open(size.idle // 10)
            before = _settled(stage)
            stage.open(size.idle)
            shared = _settled(stage)
            stage.open(size.idle, size.idle)
            own = _settled(stage)
        return {
            "shared": (shared - before) / size.idle / 1024,
            "own": (own - shared) / size.idle / 1024,
        }

    return turns("memory", 1, COMPETITORS, turn)


def report(records: Sequence[Record]) -> str:
    """Return the table."""
    rows = []
    for peer, server in COMPETITORS:
        figures = [median(records, name, peer=peer, server=server) for name in ("shared", "own")]
        rows.append([server, PEERS[peer], *(f"{figure:.1f}" for figure in figures)])
    header = ["server", "idle sockets", "KB each, one topic for all", "KB each, a topic for each"]
    return table(header, rows)


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Say whether the target is met."""
    found = []
    for server in SERVERS:
        for name, what in (("shared", "one topic"), ("own", "a topic each")):
            ours, theirs = (
                median(records, name, peer=peer, server=server) for peer in ("ours", "pubsub")
            )
            said = f"of a Channels consumer's, {what}"
            found.append(Verdict("memory", server, said, LIMIT, ours / theirs, at_most=True))
    return found


def _settled(stage: Stage) -> int:
    time.sleep(SETTLES)
    return stage.server.memory()
