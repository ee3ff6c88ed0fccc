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
