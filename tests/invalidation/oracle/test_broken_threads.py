"""The oracle finds errors under concurrent writers."""

from __future__ import annotations

import pytest

from invalidation.capture.orm import inheritance, updates
from tests.invalidation.oracle.audit import audited
from tests.invalidation.oracle.fighting import fight
from tests.invalidation.oracle.isolation import let_threads_connect
from tests.invalidation.oracle.running import Totals

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS, EACH = 30, 40
"""The error occurs by chance; it is very unlikely that none of so many rounds has it."""


@pytest.fixture(autouse=True)
def triggers():
    """Log the writes of each transaction."""
    with audited():
        yield


def fight_on(totals, **options):
    """Run all rounds, or stop when a transaction was refused that should have waited."""
    for number in range(ROUNDS):
        fight(totals, number, EACH, **options)
        if "locked" in totals.refusals:
            break


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("module", "lock"),
    [(updates, "NO_KEY_UPDATE"), (inheritance, "row_lock")],
    ids=["rows", "children"],
)
def test_reading_without_a_lock_is_found(module, lock, monkeypatch):
    """Another transaction moves the row between the read and the write."""
    let_threads_connect(monkeypatch, "READ_COMMITTED")
    monkeypatch.setattr(module, lock, "" if lock.isupper() else lambda connection: "")

    with pytest.raises(AssertionError, match="did not tell|not so"):
        fight_on(Totals())


@pytest.mark.sqlite
def test_reading_before_writing_is_found(monkeypatch):
    """SQLite refuses the transaction, which would have waited otherwise."""
    let_threads_connect(monkeypatch, "DEFERRED")
    monkeypatch.setattr(updates, "take_write_lock", lambda connection, model: None)
    totals = Totals()

    fight_on(totals, writing_first=True)

    assert "locked" in totals.refusals
