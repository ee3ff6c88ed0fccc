"""Very many transactions, for evidence: `make soak` runs it, not the other tests.

Each round has a seed. Earlier rounds of the same code count, so that an interrupted run continues
where it stopped: SEED=… is the first seed, SOAK_TRANSACTIONS=… the number of transactions in all, a
quarter for each kind of round on each database.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from itertools import count

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, given, seed, settings

from tests import evidence
from tests.invalidation.oracle.audit import audited
from tests.invalidation.oracle.fighting import fight
from tests.invalidation.oracle.isolation import MODES, let_threads_connect
from tests.invalidation.oracle.programs import programs
from tests.invalidation.oracle.running import MOST_NEEDLESS, Runner, Totals
from tests.invalidation.oracle.snapshot import driver

pytestmark = pytest.mark.django_db(transaction=True)

SHARE = int(os.environ.get("SOAK_TRANSACTIONS") or 100_000) / 4
FIRST_SEED = int(os.environ.get("SEED") or 1)

EXAMPLES, UNITS = 250, 24
FIGHTS, EACH = 12, 60


def run_programs(number: int, totals: Totals, _: object) -> None:
    """Run random programs one after the other."""
    runner = Runner(audited=bool(number % 2), totals=totals)

    @seed(number)
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(programs(UNITS))
    def run(program):
        runner.run(program)

    with audited() if number % 2 else nullcontext():
        run()


def run_threads(number: int, totals: Totals, patch: pytest.MonkeyPatch) -> None:
    """Let threads write, in each transaction mode."""
    with audited():
        for turn in range(FIGHTS):
            mode = MODES[connection.vendor][turn % 2]
            let_threads_connect(patch, mode)
            fight(
                totals,
                number * FIGHTS + turn,
                EACH,
                writing_first=mode == "DEFERRED",
                upserting=turn % 4 > 1,
            )
    assert not totals.refusals["locked"]


ROUNDS = {"capture: programs": run_programs, "capture: threads": run_threads}


@pytest.mark.parametrize("what", ROUNDS)
def test_soak(what, monkeypatch, capsys):
    """No missing message, no reset without a cause, and nearly no needless topic."""
    be_careless(monkeypatch)
    done = 0
    known = evidence.rounds_of(what)
    for number in count(FIRST_SEED):
        found = known.get(number) or run_round(what, number, monkeypatch)
        done += found["transactions"]
        with capsys.disabled():
            print(f"{done:>8} of {SHARE:.0f}: {found}", flush=True)  # noqa: T201 -- its progress
        if done >= SHARE:
            break


def run_round(what, number, monkeypatch):
    """Run a round, and write down its result, a failure too."""
    if connection.vendor == "postgresql":
        driver().execute("VACUUM")
    totals, began = Totals(), time.monotonic()
    failed: dict[str, str] = {}
    try:
        ROUNDS[what](number, totals, monkeypatch)
        assert totals.needless_percent <= MOST_NEEDLESS
    except BaseException as error:
        failed = {"failed": f"{type(error).__name__}: {error}"[:200]}
        raise
    finally:
        entry = entry_of(what, number, totals, time.monotonic() - began) | failed
        evidence.write(entry)
    return entry


def entry_of(what, seed, totals, seconds):
    """Return the evidence entry of a round."""
    return {
        **evidence.about(what),
        "seed": seed,
        "transactions": totals.transactions,
        "false_negatives": totals.missing,
        "resets_without_cause": totals.causeless,
        "needless_percent": round(totals.needless_percent, 2),
        "seconds": round(seconds),
    }


def be_careless(monkeypatch):
    """Switch off SQLite's waiting for the disk: the data need not survive."""
    if connection.vendor == "sqlite":
        options = connections.settings["default"]["OPTIONS"]
        careless = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
        monkeypatch.setitem(options, "init_command", careless)
        connection.close()
