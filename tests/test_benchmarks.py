"""Benchmarks run: one that broke would be noticed when its figures are wanted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.long
@pytest.mark.sqlite
def test_a_part_of_the_largest_runs() -> None:
    """It sets up a backend of its own, and prints what the docs show."""
    command = [sys.executable, "-m", "benchmarks", "orm", "--only", "create,sqlite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "| create |" in done.stdout


@pytest.mark.long
@pytest.mark.sqlite
def test_a_part_of_the_connections_runs() -> None:
    """It serves sockets and publishes in processes of its own, and judges what it found."""
    command = [sys.executable, "-m", "benchmarks", "connections", "--small", "--only", "storm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "| uvicorn | 200 |" in done.stdout
    assert "| reconnect storm | daphne | not told: at most 0 | 0.00 | met |" in done.stdout
