"""The server's memory for a socket that is subscribed and idle."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import PEERS, SERVERS, Stage
from benchmarks.sockets.turns import WITH_PYTHON, Record, median, on_each_server, turns
from benchmarks.sockets.verdicts import Verdict

COMPETITORS = on_each_server(WITH_PYTHON)
SETTLES = 1.0
"""Seconds in which the server frees the memory that connecting needed."""

HEARD = 20
"""Messages after which the memory is measured again."""

FIGURES = {
    "shared": "one topic for all",
    "heard": "one topic, after 20 messages",
    "own": "a topic for each",
}
MEMORY_TARGET = 0.7


def measure(size: Size) -> list[Record]:
    """Measure all peers once: the figures hardly differ from run to run."""

    def turn(peer: str, server: str) -> Record:
        with Stage(peer, server) as stage:
            # These clients allocate what all share, and the allocator's reserve.
            first = size.idle // 10
            stage.open(first)
            stage.warm_up()
            before = _settled(stage)
            stage.open(size.idle)
            shared = _settled(stage)
            stage.forget()
            stage.publish(HEARD)
            stage.client.do("receive", expected=HEARD * (first + size.idle))
            stage.forget()
            heard = _settled(stage)
            stage.open(size.idle, size.idle)
            own = _settled(stage)
        grown = {"shared": shared - before, "heard": heard - before, "own": own - heard}
        return {name: bytes_ / size.idle / 1024 for name, bytes_ in grown.items()}

    return turns("memory", 1, COMPETITORS, turn)


def report(records: Sequence[Record]) -> str:
    """Return the table."""
    rows = []
    for peer, server in COMPETITORS:
        figures = [median(records, name, peer=peer, server=server) for name in FIGURES]
        rows.append([server, PEERS[peer], *(f"{figure:.1f}" for figure in figures)])
    return table(["server", "idle sockets, KB each", *FIGURES.values()], rows)


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Compare the figures with the target."""
    found = []
    for server in SERVERS:
        for name, what in FIGURES.items():
            ours, theirs = (
                median(records, name, peer=peer, server=server) for peer in ("ours", "pubsub")
            )
            said = f"of a Channels consumer's, {what}"
            found.append(
                Verdict("memory", server, said, MEMORY_TARGET, ours / theirs, at_most=True)
            )
    return found


def _settled(stage: Stage) -> int:
    time.sleep(SETTLES)
    return stage.server.memory()
