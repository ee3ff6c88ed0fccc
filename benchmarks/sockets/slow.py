"""Clients that stop reading: the effect on other clients, and on the server's memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import SERVERS, Stage
from benchmarks.sockets.turns import Record, client_cpu, turns
from benchmarks.sockets.verdicts import Verdict

PIECE = 5.0
"""Seconds of a piece, which has a p99 of its own; at most a quarter of the run."""

RECEIVE_BUFFER, SEND_BUFFER = 4096, 65536
"""Bytes that the system buffers for a client that does not read: few, so that the server must."""

WAITING_ROWS, ROW_BYTES = 1_000, 200
"""The most rows of a topic that wait for a client, by default, and the most bytes of a row."""

TRANSPORT_BYTES = 128 * 1024
"""The most bytes of unread frames that a server keeps for a client."""

STALL_P99_TARGET = 1.2
COMPETITORS = [("ours", server) for server in SERVERS]


def measure(size: Size) -> list[Record]:
    """Measure under both servers once, since it takes long."""

    def turn(peer: str, server: str) -> Record:
        with Stage(peer, server, SEND_BUFFER) as stage:
            stage.open(size.sockets, stalling=size.stalled, buffer=RECEIVE_BUFFER)
            stage.warm_up()
            usual, _ = _listen(stage, size, size.stall_seconds / 4, stalled=False)
            stage.forget()
            before = stage.server.memory()
            stage.client.do("stall", count=size.stalled)
            stalled, most = _listen(stage, size, size.stall_seconds, stalled=True)
            resumed = stage.client.do("resume")
            resumed |= stage.client.do("catch_up", last=stage.publish(1))
        return {
            "usual p99": [each["p99"] for each in usual],
            "stalled p99": [each["p99"] for each in stalled],
            "client cpu": max(each["client cpu"] for each in stalled),
            "grown": most - before,
            "bound": size.stalled * (WAITING_ROWS * ROW_BYTES + TRANSPORT_BYTES),
            **resumed,
        }

    return turns("slow", 1, COMPETITORS, turn)


def _listen(stage: Stage, size: Size, seconds: float, stalled: bool) -> tuple[list[Record], int]:
    """Publish for `seconds`; return the other clients' figures by piece, and the most memory."""
    count = round(size.slow_rate * min(PIECE, size.stall_seconds / 4))
    expected = count * (size.sockets - (size.stalled if stalled else 0))
    found, most = [], 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        stage.forget(numbers=False)
        stage.publish(count, size.slow_rate, rows=size.slow_rows)
        found.append(stage.client.do("receive", expected=expected, skip=size.stalled))
        most = max(most, stage.server.memory())
    return found, most


def report(records: Sequence[Record]) -> str:
    """Return the table."""
    rows = []
    for record in records:
        usual, stalled = (statistics.median(record[f"{name} p99"]) for name in ("usual", "stalled"))
        rows.append([record["server"], f"{usual:.2f}", f"{stalled:.2f}", f"{stalled / usual:.2f}"])
        megabytes = [record[name] / 2**20 for name in ("grown", "bound")]
        rows[-1] += [f"{each:.1f}" for each in megabytes]
        rows[-1] += [str(record[name]) for name in ("all", "reset", "closed", "stale")]
        rows[-1] += [f"{record['took']:.2f}", client_cpu([record])]
    header = ["server", "p99 ms of the others", "while some stall", "ratio"]
    header += ["server grows by MB", "bound MB", "caught up by rows", "by a reset"]
    return table(
        [*header, "disconnected", "stale", "seconds until caught up", "clients' CPU"], rows
    )


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Compare the figures with the targets."""
    found = []
    for record in records:
        usual, stalled = (statistics.median(record[f"{name} p99"]) for name in ("usual", "stalled"))
        server, grown = record["server"], record["grown"] / record["bound"]
        ratio = stalled / usual
        said = "p99 of the others, of the usual"
        found.append(Verdict("slow readers", server, said, STALL_P99_TARGET, ratio, at_most=True))
        found.append(
            Verdict("slow readers", server, "memory, of its bound", 1, grown, at_most=True)
        )
        found.append(Verdict("slow readers", server, "stale", 0, record["stale"], at_most=True))
    return found
