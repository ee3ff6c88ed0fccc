"""Benchmarks run: a broken one is noticed before its figures are needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sockets.client_logs import caught_up
from benchmarks.sockets.load import Client

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.long
@pytest.mark.sqlite
def test_a_part_of_the_largest_runs() -> None:
    """It makes a backend of its own, and prints the docs' figures."""
    command = [sys.executable, "-m", "benchmarks", "orm", "--only", "create,sqlite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "| create |" in done.stdout


@pytest.mark.long
@pytest.mark.sqlite
def test_a_part_of_the_connections_runs() -> None:
    """It serves sockets and publishes in processes of its own, and judges the result."""
    command = [sys.executable, "-m", "benchmarks", "connections", "--small", "--only", "storm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "| uvicorn | ours | 200 |" in done.stdout
    assert "| daphne | ours, collecting rarely | 200 |" in done.stdout
    assert "| reconnect storm | daphne | not told: at most 0 | 0.00 | met |" in done.stdout


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        (["@0-1", "@1-1", "@2-1"], "all"),
        (["@0-1", "reset", "@2-1"], "reset"),
        (["@0-1", "@2-1"], "stale"),
        (["@0-1", "@1-1", "reset"], "stale"),
    ],
)
def test_a_client_that_missed_a_message_unnoticed_is_found(heard: list[str], state: str) -> None:
    """The benchmark of slow readers must notice a stale client."""
    client = Client(0)
    client.socket.close()
    client.log = [
        (0, b'"reset":"overflow"' if what == "reset" else f'"{what}"'.encode()) for what in heard
    ]

    assert caught_up([client], last=2)[state] == 1
