"""The number of clients a second that connect and subscribe."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import table
from benchmarks.sockets.processes import ROOT
from benchmarks.sockets.size import Size
from benchmarks.sockets.stage import PEERS, Stage
from benchmarks.sockets.turns import Record, client_cpu, median, on_each_server, turns
from benchmarks.sockets.verdicts import Verdict

SHARE = 10
"""Clients of a topic."""

LOGGED_IN = "ours, logged in"
NAMES = {**PEERS, LOGGED_IN: LOGGED_IN}
COMPETITORS = on_each_server(("bare", "ours", LOGGED_IN, "pubsub"))


def measure(size: Size) -> list[Record]:
    """Measure all peers, and ours with sessions that a database holds."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "sessions.sqlite3"
        cookie = _log_in(database)

        def turn(peer: str, server: str) -> Record:
            logged_in = {"cookie": cookie, "database": database} if peer == LOGGED_IN else {}
            with Stage("ours" if peer == LOGGED_IN else peer, server, **logged_in) as stage:
                found = stage.open(size.connects, max(1, size.connects // SHARE))
            return {**found, "rate": size.connects / found["seconds"]}

        return turns("connect", size.runs, COMPETITORS, turn)


def report(records: Sequence[Record]) -> str:
    """Return the table."""
    rows = []
    for peer, server in COMPETITORS:
        which = {"peer": peer, "server": server}
        rate = median(records, "rate", **which)
        bare = median(records, "rate", peer="bare", server=server)
        figures = [f"{rate:,.0f}", f"{rate / bare:.2f}", client_cpu(records, **which)]
        rows.append([server, NAMES[peer], *figures])
    header = ["server", "connecting", "sockets a second", "of the bare loop", "clients' CPU"]
    return table(header, rows)


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Return nothing: there is no target."""
    return []


def _log_in(database: Path) -> str:
    """Create a database with a session in it; return the session's cookie."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sockets.session", str(database)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()
