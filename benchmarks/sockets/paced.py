"""Delivery times at a moderate rate: with one topic for all sockets, and with one for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.report import table
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import PEERS, SERVERS, Stage
from benchmarks.sockets.turns import (
    WITH_PYTHON,
    Record,
    client_cpu,
    median,
    on_each_server,
    turns,
)
from benchmarks.sockets.verdicts import Verdict

COMPETITORS = [*on_each_server(WITH_PYTHON), ("socketio", "node")]
P99_TARGET = 2.0
"""The target: our p99 as a multiple of the bare loop's."""


def measure_paced(size: Size) -> list[Record]:
    """Measure all peers with one topic."""
    count = round(size.paced_rate * size.paced_seconds)
    turn = _turn(size.sockets, 1, count, size.paced_rate)
    return turns("paced", size.runs, COMPETITORS, turn)


def measure_topics(size: Size) -> list[Record]:
    """Measure all peers with a topic for each socket."""
    count = round(size.topics_rate * size.topics_seconds)
    turn = _turn(size.topics, size.topics, count, size.topics_rate)
    return turns("topics", size.runs, COMPETITORS, turn)


def _turn(sockets: int, topics: int, count: int, rate: float) -> Callable[[str, str], Record]:
    expected = count * sockets // topics

    def turn(peer: str, server: str) -> Record:
        with Stage(peer, server) as stage:
            stage.open(sockets, topics)
            stage.warm_up(topics)
            stage.publish(count, rate, topics)
            found = stage.client.do("receive", expected=expected)
        return {**found, "arrived": found["deliveries"] / expected}

    return turn


def report_paced(records: Sequence[Record]) -> str:
    """Return the table for one topic."""
    return _report("paced, one topic", records)


def report_topics(records: Sequence[Record]) -> str:
    """Return the table for a topic for each."""
    return _report("a topic for each socket", records)


def verdicts_paced(records: Sequence[Record]) -> list[Verdict]:
    """Compare the figures with the target."""
    return [
        Verdict("paced", server, "p99, of the bare loop's", P99_TARGET, ratio, at_most=True)
        for server in SERVERS
        for ratio in [_ratio(records, "ours", server)]
    ]


def verdicts_topics(records: Sequence[Record]) -> list[Verdict]:
    """Return nothing: there is no target."""
    return []


def _report(what: str, records: Sequence[Record]) -> str:
    rows = []
    for peer, server in COMPETITORS:
        which = {"peer": peer, "server": server}
        ways = [f"{median(records, part, **which):.2f}" for part in ("p50", "p99")]
        ratio = f"{_ratio(records, peer, server):.2f}"
        arrived = f"{median(records, 'arrived', **which):.1%}"
        rows.append([server, PEERS[peer], *ways, ratio, arrived, client_cpu(records, **which)])
    header = ["server", what, "p50 ms", "p99 ms", "p99, of the bare loop's"]
    return table([*header, "arrived", "clients' CPU"], rows)


def _ratio(records: Sequence[Record], peer: str, server: str) -> float:
    beside = server if server != "node" else "uvicorn"
    bare = median(records, "p99", peer="bare", server=beside)
    return median(records, "p99", peer=peer, server=server) / bare
