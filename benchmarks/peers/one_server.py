"""Our backend beside both layers of channels_redis, each on a Redis of its own."""

from __future__ import annotations

from benchmarks.peers.carriers import NAMES
from benchmarks.peers.workers import Worker, workers
from benchmarks.report import percentile, table
from tools.redis_servers import RedisServer

PACED, EVERY = 500, 0.02
"""Commits whose messages are timed, and seconds between them."""

MANY, ROOMS = 20_000, 50
"""Messages that are sent without a pause, and the number of their topics."""

TOPICS = 2_000
"""Topics whose memory is measured, each with one listener and one message."""

HEADER = [
    "on one Redis",
    "commit to listener p50 ms",
    "p99 ms",
    "publishes a second, no database",
    "of them arrived",
    "Redis CPU a publish µs",
    "Redis memory a topic bytes",
]


def run() -> str:
    """Measure all three and return the table."""
    rows = []
    for kind, name in NAMES.items():
        with RedisServer() as server:
            paced = _paced(kind, server)
        with RedisServer() as server:
            burst = _burst(kind, server)
        with RedisServer() as server:
            memory = _memory(kind, server)
        rows.append([name, *paced, *burst, f"{memory:,.0f}"])
    return table(HEADER, rows)


def _paced(kind: str, server: RedisServer) -> list[str]:
    listener = Worker(kind, server.url, "listen", 0, 1, PACED)
    sender = Worker(kind, server.url, "commit", 0, 1, PACED, EVERY)
    with workers(listener, sender):
        sender.go()
        # The first ones open connections.
        ways = listener.read()["ways"][PACED // 10 :]
    return [f"{percentile(ways, part):.2f}" for part in (50, 99)]


def _burst(kind: str, server: RedisServer) -> list[str]:
    listener = Worker(kind, server.url, "listen", 0, ROOMS, MANY)
    sender = Worker(kind, server.url, "send", 0, ROOMS, MANY)
    with workers(listener, sender):
        before = _cpu(server)
        sender.go()
        sent = sender.read()
        arrived = len(listener.read()["ways"])
        used = _cpu(server) - before
    rate, share = MANY / sent["seconds"], arrived / MANY
    return [f"{rate:,.0f}", f"{share:.1%}", f"{used / MANY * 1e6:.0f}"]


def _memory(kind: str, server: RedisServer) -> float:
    before = _bytes(server)
    listener = Worker(kind, server.url, "listen", 0, TOPICS, TOPICS)
    sender = Worker(kind, server.url, "send", 0, TOPICS, TOPICS)
    with workers(listener, sender):
        joined = _bytes(server) - _connections(server)
        sender.go()
        sender.read()
        kept = _bytes(server) - _connections(server)
    return (max(joined, kept) - before) / TOPICS


def _cpu(server: RedisServer) -> float:
    info = server.ask("INFO", "cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _bytes(server: RedisServer) -> int:
    return int(server.ask("INFO", "memory")["used_memory"])


def _connections(server: RedisServer) -> int:
    return int(server.ask("INFO", "memory")["mem_clients_normal"])
