"""The command of the soak."""

from __future__ import annotations

import subprocess
import sys

from tests.evidence import ROOT


def test_the_command_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.convergence", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--backend {database,socket,redis,redis-cluster}" in " ".join(done.stdout.split())
