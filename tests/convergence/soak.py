"""Rounds by command: `python -m tests.convergence --seconds 3600 --seed 1 --database postgres`.

From 180 seconds on the time is divided into rounds, each with the next seed. Such a round must
commit more and inject more faults. It is noted in docs/reference/soak.json, unless an option made
it smaller or broke something. A round that is noted there for this commit is not repeated, so an
interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time

from tests import evidence
from tests.convergence.report import Report
from tests.convergence.rounds import Round
from tests.convergence.sabotage import CLIENT_SABOTAGES, NO_DEPENDS, NO_OUTBOX, SABOTAGES
from tests.convergence.site import BACKENDS
from tests.convergence.world import DATABASES, Size

SWITCHES = [*SABOTAGES, NO_OUTBOX, NO_DEPENDS, *CLIENT_SABOTAGES]
LONG_ROUND = 180.0
LEAST_COMMITS = 500
LEAST_FAULTS = 2


def main() -> int:
    """Run rounds until the time is up; return how many failed."""
    given = _arguments()
    only = tuple(name for name in given.faults.split(",") if name)
    size = Size(given.clients, given.webs, given.writers, given.rate)
    long = given.seconds >= LONG_ROUND
    failed = 0
    for turn in range(int(given.seconds / LONG_ROUND) or 1):
        wanted = Round(
            seed=given.seed + turn,
            seconds=min(given.seconds, LONG_ROUND),
            database=given.database,
            backend=given.backend,
            size=size,
            faultless=given.faultless,
            least=LEAST_FAULTS if long else given.least,
            least_commits=LEAST_COMMITS if long else 1,
            only=only,
            sabotage=given.sabotage,
        )
        is_evidence = long and size == Size() and not (only or given.faultless or given.sabotage)
        failed += _run(wanted, is_evidence=is_evidence)
    return failed


def _run(wanted: Round, *, is_evidence: bool) -> bool:
    """Run a round, unless it is noted as passed; return True if it failed."""
    what = f"convergence: {wanted.backend}"
    known = evidence.rounds_of(what, _kind(wanted.database)) if is_evidence else {}
    if wanted.seed in known:
        print(f"known: {known[wanted.seed]}", flush=True)
        return False
    began = time.monotonic()
    report = asyncio.run(wanted.run())
    print(report.text(most=3), flush=True)
    if is_evidence:
        evidence.write(_entry(what, report, time.monotonic() - began))
    return bool(report.problems)


def _entry(what: str, report: Report, seconds: float) -> evidence.Entry:
    failed = {"failed": "; ".join(report.problems)[:200]} if report.problems else {}
    return {
        **evidence.about(what, report.database),
        "node": _node_version(),
        "seed": report.seed,
        "commits": report.commits,
        "clients": report.clients,
        "faults": dict(sorted(report.faults.items())),
        "resets": report.resets,
        "repeats": report.repeats,
        "refetches": report.refetches,
        "stale": report.stale,
        "quiet_seconds": report.quiet_seconds,
        "seconds": round(seconds),
    } | failed


def _node_version() -> str:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("v")


def _kind(database: str) -> str:
    return {"sqlite": "SQLite", "postgres": "PostgreSQL"}[database]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.convergence", description=__doc__)
    defaults = Size()
    rate = "transactions a second of each writer"
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of writes and faults, in total"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--backend", choices=BACKENDS, default="database")
    parser.add_argument("--clients", type=int, default=defaults.clients)
    parser.add_argument("--webs", type=int, default=defaults.webs)
    parser.add_argument("--writers", type=int, default=defaults.writers)
    parser.add_argument("--rate", type=float, default=defaults.rate, help=rate)
    parser.add_argument("--least", type=int, default=1, help="faults of each kind")
    parser.add_argument("--faults", default="", help="their kinds, with commas; else all")
    parser.add_argument("--faultless", action="store_true")
    parser.add_argument("--sabotage", choices=SWITCHES, default="")
    return parser.parse_args()
