"""What each backend takes from a commit to the hub, carries, costs a writer, and costs idle.

Each is measured in processes of its own: one listens as a hub does, another one writes. Memory does
not leave its process, so there a thread writes. "Plain" is the same transaction without a message.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import machine, table
from tools.demo_server import prepare_database
from tools.postgres import Postgres

NAMES = {
    "memory": "memory",
    "sqlite": "database, SQLite",
    "postgresql": "database, PostgreSQL",
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


def run() -> str:
    """Measure each backend and return the report."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        file = Path(folder) / "demo.sqlite3"
        prepare_database(file)
        prepare_database(server.url)
        for backend, name in NAMES.items():
            where = (
                {"DATABASE_URL": server.url} if backend == "postgresql" else {"DEMO_DB": str(file)}
            )
            rows.append([name, *_measure(backend, where)])
    return f"{machine()}\n\n{table(HEADER, rows)}"


def _measure(backend: str, where: dict[str, str]) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "DEMO_DB"}}
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.pubsub_listener", backend],
        env=environment | where | {"DJANGO_SETTINGS_MODULE": "demo_todo.settings"},
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
