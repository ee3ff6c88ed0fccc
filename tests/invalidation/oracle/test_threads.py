"""Many writers at once: each transaction's record matches its own writes."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from tests.invalidation.oracle.audit import audited
from tests.invalidation.oracle.fighting import fight
from tests.invalidation.oracle.isolation import let_threads_connect
from tests.invalidation.oracle.running import MOST_NEEDLESS, Totals
from tests.invalidation.oracle.threads import GIVEN_UP

pytestmark = pytest.mark.django_db(transaction=True)

EACH, ENOUGH = 50, 100
TO_BE_EXPECTED = {
    "READ_COMMITTED": {"deadlocks"},
    "REPEATABLE_READ": {"deadlocks", "serialization failures", GIVEN_UP},
}
"""Transactions that write several rows in any order refuse each other, tracked or not."""

MOST_RESETTING = {False: 20.0, True: 40.0}
"""Percent of the transactions that may reset because they met another; with upserts, more."""

SEED = int.from_bytes(os.urandom(3))


@pytest.fixture(autouse=True)
def triggers():
    """Log the writes of each transaction."""
    with audited():
        yield


@pytest.mark.sqlite
@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE"])
def test_threads_on_sqlite_are_told_and_never_refused(mode, monkeypatch):
    """No "database is locked" if a transaction writes before it reads, or is IMMEDIATE."""
    let_threads_connect(monkeypatch, mode)
    totals = Totals()

    fight(totals, SEED, EACH, writing_first=mode == "DEFERRED", upserting=True)

    assert totals.refusals == {}
    check(totals)


@pytest.mark.postgres
@pytest.mark.parametrize("upserting", [False, True], ids=["rows", "upserts"])
@pytest.mark.parametrize("level", TO_BE_EXPECTED)
def test_threads_on_postgresql_are_told(level, upserting, monkeypatch):
    """In both isolation levels; transactions refused for concurrency are retried."""
    let_threads_connect(monkeypatch, level)
    totals = Totals()

    fight(totals, SEED, EACH, upserting=upserting)

    assert totals.refusals.keys() <= TO_BE_EXPECTED[level]
    assert totals.resetting_percent <= MOST_RESETTING[upserting], totals
    check(totals)


def check(totals):
    """Check the totals."""
    print(f"{connection.vendor}, seed {SEED}: {totals}")  # noqa: T201 -- to repeat it
    assert totals.transactions >= ENOUGH
    assert totals.needless_percent <= MOST_NEEDLESS
