"""Each backend's time from a commit to the hub, its rate, its cost for a writer, and its idle cost.

Each is measured in processes of its own: one listens as a hub does, another writes. The memory
backend stays in its process, so there a thread writes. "Plain" is the same transaction without a
message.

`benchmarks.peers` holds two more parts: Redis beside the layers of channels_redis, and a cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import django

from benchmarks.peers import cluster, one_server
from benchmarks.report import machine, table
from tools.demo_server import prepare_database
from tools.postgres import Postgres
from tools.redis_servers import RedisServer

NAMES = {
    "memory": "memory",
    "sqlite": "database, SQLite",
    "postgresql": "database, PostgreSQL",
    "redis": "Redis, outbox on SQLite",
}
HEADER = [
    "backend",
    "commit to hub p50 ms",
    "p99 ms",
    "messages a second",
    "a transaction ms",
    "plain ms",
    "ratio",
    "idle, of one core",
]


PARTS = ("backends", "peers", "cluster")


def run(only: Collection[str] = PARTS) -> str:
    """Measure the parts named, and return the report."""
    if unknown := set(only) - set(PARTS):
        raise SystemExit(f"expected some of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "demo.sqlite3"
        prepare_database(file)
        parts = []
        if "backends" in only:
            parts.append(_backends(file))
        with _settings({"DEMO_DB": str(file)}):
            if "peers" in only:
                parts.append(one_server.run())
            if "cluster" in only:
                parts.append(cluster.run())
    return "\n\n".join([machine(), *parts])


def _backends(file: Path) -> str:
    rows = []
    with Postgres() as server, RedisServer() as redis:
        prepare_database(server.url)
        places = {
            "postgresql": {"DATABASE_URL": server.url},
            "redis": {"DEMO_DB": str(file), "REDIS_URL": redis.url},
        }
        for backend, name in NAMES.items():
            where = places.get(backend, {"DEMO_DB": str(file)})
            rows.append([name, *_measure(backend, where)])
    return table(HEADER, rows)


@contextmanager
def _settings(where: Mapping[str, str]) -> Iterator[None]:
    """Give this process and its children the demo's settings."""
    usual = dict(os.environ)
    os.environ.update(_environment(where))
    django.setup()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(usual)


def _environment(where: Mapping[str, str]) -> dict[str, str]:
    others = {"DATABASE_URL", "DEMO_DB", "REDIS_URL"}
    usual = {name: value for name, value in os.environ.items() if name not in others}
    return {**usual, **where, "DJANGO_SETTINGS_MODULE": "demo_todo.settings"}


def _measure(backend: str, where: Mapping[str, str]) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.pubsub_listener", backend],
        env=_environment(where),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures = json.loads(found.stdout)
    with_message, plain = figures["transaction"], figures["plain"]
    return [
        f"{figures['p50']:.2f}",
        f"{figures['p99']:.2f}",
        f"{figures['rate']:,.0f}",
        f"{with_message:.3f}",
        f"{plain:.3f}",
        f"{with_message / plain:.2f}",
        f"{figures['idle']:.2%}",
    ]
