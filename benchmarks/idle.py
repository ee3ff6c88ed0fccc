"""Processor time of the reader's thread while it polls and no message comes."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks.report import machine, table
from tools.demo_server import prepare_database

SECONDS = 20.0
INTERVALS = (0.01, 0.05, 0.25)


def run() -> str:
    """Measure at several intervals and return the report."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "demo.sqlite3"
        prepare_database(database)
        os.environ |= {"DEMO_DB": str(database), "DJANGO_SETTINGS_MODULE": "demo_todo.settings"}
        rows = [_measure(interval) for interval in INTERVALS]
    header = ["interval ms", "looks a second", "µs a look", "of one core"]
    return f"{machine()}\n\n{table(header, rows)}"


def _measure(interval: float) -> list[object]:
    import django

    django.setup()
    from realtime.backends.database.reader import Reader
    from realtime.backends.database.records import head

    reader = Reader(
        "default", interval=interval, retention=3600, on_batch=lambda *_: None, on_lost=print
    )
    position = head("default")
    started, used = time.monotonic(), time.process_time()
    reader.start(position)
    time.sleep(SECONDS)
    used = time.process_time() - used
    looks = (time.monotonic() - started) / interval
    reader.stop()
    return [
        f"{interval * 1000:.0f}",
        f"{looks / SECONDS:.0f}",
        f"{used / looks * 1e6:.0f}",
        f"{used / SECONDS:.2%}",
    ]
