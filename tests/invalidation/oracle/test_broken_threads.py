"""The oracle finds errors under concurrent writers."""

from __future__ import annotations

import pytest

from invalidation.capture.orm import children, inheritance, step_back, updates
from invalidation.transactions.journal import journal_of
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


def rows_are_not_locked(patch):
    """Another transaction moves the row between the read and the write."""
    patch.setattr(updates, "NO_KEY_UPDATE", "")


def children_are_read_early(patch):
    """Another transaction moves the child between the read, at its parent's write, and the commit.

    Without a lock at the commit that would be possible too, within less time.
    """
    patch.setattr(children, "IF_FREE", "")
    note_children = inheritance.note_children

    def note_and_read(write, rows):
        note_children(write, rows)
        journal = journal_of(write.connection)
        entries = children.with_children(write.connection, journal.entries(), at_the_end=True)
        journal._entries[:] = entries

    patch.setattr(inheritance, "note_children", note_and_read)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "broken",
    [rows_are_not_locked, children_are_read_early],
    ids=lambda each: each.__name__,
)
def test_reading_without_a_proof_is_found(broken, monkeypatch):
    """What was read is not what was there when the row was written.

    For upserts, which meet each other too seldom here, see tests/invalidation/capture.
    """
    let_threads_connect(monkeypatch, "READ_COMMITTED")
    broken(monkeypatch)

    with pytest.raises(AssertionError, match="did not tell|not so"):
        fight_on(Totals())


@pytest.mark.sqlite
def test_reading_before_writing_is_found(monkeypatch):
    """SQLite refuses the transaction, which would have waited otherwise."""
    let_threads_connect(monkeypatch, "DEFERRED")
    monkeypatch.setattr(step_back, "take_write_lock", lambda connection, model: None)
    totals = Totals()

    fight_on(totals, writing_first=True)

    assert "locked" in totals.refusals
