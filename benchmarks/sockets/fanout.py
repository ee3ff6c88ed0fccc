"""One topic, many sockets, and messages published as fast as possible."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import LAYERS, PEERS, Stage
from benchmarks.sockets.turns import (
    WITH_PYTHON,
    Record,
    client_cpu,
    median,
    on_each_server,
    turns,
)
from benchmarks.sockets.verdicts import Verdict

NAP = 0.002
"""Seconds between the clients' polls: waking a client for each frame would load the server too."""

COMPETITORS = [*on_each_server(WITH_PYTHON), ("socketio", "node")]


def measure(size: Size) -> list[Record]:
    """Measure all peers."""

    def turn(peer: str, server: str) -> Record:
        messages = size.burst_of_layers if peer in LAYERS else size.burst
        expected = size.sockets * messages
        with Stage(peer, server) as stage:
            stage.open(size.sockets)
            stage.warm_up()
            stage.forget(nap=NAP)
            stage.publish(messages)
            found = stage.client.do("receive", expected=expected)
        rate = found["deliveries"] / found["seconds"] if found["seconds"] else 0.0
        return {**found, "rate": rate, "arrived": found["deliveries"] / expected}

    return turns("fanout", size.runs, COMPETITORS, turn)


def report(records: Sequence[Record]) -> str:
    """Return the table."""
    rows = []
    for peer, server in COMPETITORS:
        which = {"peer": peer, "server": server}
        rate = median(records, "rate", **which)
        beside = server if server != "node" else "uvicorn"
        rows.append([server, PEERS[peer], f"{rate:,.0f}"])
        rows[-1].append(f"{median(records, 'frames', **which):,.0f}")
        rows[-1].append(f"{rate / median(records, 'rate', peer='bare', server=beside):.2f}")
        rows[-1].append(f"{rate / _best_layer(records, beside):.1f}")
        rows[-1].append(f"{median(records, 'arrived', **which):.1%}")
        rows[-1].append(client_cpu(records, **which))
    header = ["server", "flat out, one topic", "row changes a second to all clients", "frames"]
    header += ["of the bare loop", "of channels_redis's best", "arrived", "clients' CPU"]
    return table(header, rows)


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Compare the figures with the targets."""
    found = []
    socketio = median(records, "rate", peer="socketio")
    for server in ("uvicorn", "daphne"):
        rate = median(records, "rate", peer="ours", server=server)
        bare = median(records, "rate", peer="bare", server=server)
        layers = rate / _best_layer(records, server)
        found.append(Verdict("fan-out", server, "of channels_redis's best", 12, layers))
        found.append(Verdict("fan-out", server, "of the bare loop", 0.75, rate / bare))
        found.append(Verdict("fan-out", server, "of Socket.IO", 1, rate / socketio))
    return found


def _best_layer(records: Sequence[Record], server: str) -> float:
    return max(median(records, "rate", peer=layer, server=server) for layer in LAYERS)
