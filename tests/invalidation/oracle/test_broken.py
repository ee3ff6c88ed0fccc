"""The oracle finds errors: each function here breaks the product in one place.

Failing programs are not shrunk; the first one is enough.
"""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, seed, settings

from invalidation.capture.orm import (
    children,
    deletes,
    inheritance,
    inserts,
    sqlite_upserts,
    updates,
)
from invalidation.capture.orm.write import NO_ROWS, Write
from invalidation.tracking import matching
from invalidation.transactions import commit
from invalidation.transactions.journal import Journal
from tests.invalidation.oracle.programs import programs
from tests.invalidation.oracle.running import Runner

# Each error is the same on any database, so the faster one is used.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite, pytest.mark.long]

EXAMPLES, UNITS = 60, 24

note = Write.note


def the_row_was_as_it_is(patch):
    """The before image is the object's, which may be stale."""
    patch.setattr(Write, "note", lambda self, d, b, a: note(self, d, a if b and a else b, a))


def inserts_are_updates(patch):
    patch.setattr(Write, "note", lambda self, d, b, a: note(self, d, b or a, a))


def deletes_are_not_noted(patch):
    patch.setattr(
        Write, "note", lambda self, d, b, a: None if a is NO_ROWS else note(self, d, b, a)
    )


def children_are_not_noted(patch):
    patch.setattr(inheritance, "note_children", lambda write, rows: None)


def children_are_not_read(patch):
    """Only those whose own rows the transaction wrote are noted."""
    patch.setattr(children, "_read", lambda *_: [])


def children_are_reset(patch):
    patch.setattr(children, "_read", lambda _, child, *__: [children._unknown(child)])


def children_of_upserts_are_not_noted(patch):
    patch.setattr(sqlite_upserts, "note_rows", lambda w, b, a: w.note(w.plan.declaration, b, a))


def children_of_a_row_in_anothers_place_are_not_noted(patch):
    patch.setattr(inserts, "note_rows", lambda w, b, a: w.note(w.plan.declaration, b, a))


def ends_of_rows_between_are_not_told(patch):
    patch.setattr(matching, "ends_of", lambda declaration, change: ())


def one_end_of_two_is_told(patch):
    ends_of = matching.ends_of
    patch.setattr(matching, "ends_of", lambda d, c: list(ends_of(d, c))[:1])


def what_a_savepoint_undid_stays_noted(patch):
    patch.setattr(Journal, "roll_back_to", lambda self, savepoint: None)


def a_savepoint_undoes_all(patch):
    patch.setattr(Journal, "roll_back_to", lambda self, savepoint: self._entries.clear())


def a_transaction_is_not_forgotten(patch):
    patch.setattr(Journal, "clear", lambda self: None)


def the_last_before_is_taken(patch):
    """A row that is written twice has its state in between as the one before."""
    patch.setattr(commit, "merge", lambda found: {(c.model, c.pk): c for c in found}.values())


def the_first_after_is_taken(patch):
    patch.setattr(
        commit,
        "merge",
        lambda found: {(c.model, c.pk): c for c in reversed(list(found))}.values(),
    )


def what_is_left_is_not_told(patch):
    verbs_of = matching.verbs_of
    patch.setattr(
        matching,
        "verbs_of",
        lambda d, c: {topic: verb for topic, verb in verbs_of(d, c).items() if verb != "left"},
    )


def upserts_are_inserts(patch):
    patch.setattr("invalidation.capture.orm.seam.upsert_on_sqlite", inserts.insert)


def rows_are_reset(patch):
    """No client is stale, but every client reloads."""
    patch.setattr("invalidation.capture.orm.seam.insert", Write.run_and_reset)


def updates_are_reset(patch):
    patch.setattr(updates, "_build", lambda write: None)


def deletes_are_reset(patch):
    patch.setattr(deletes, "can_be_captured", lambda write: False)


BROKEN = (
    the_row_was_as_it_is,
    inserts_are_updates,
    deletes_are_not_noted,
    children_are_not_noted,
    children_are_not_read,
    children_are_reset,
    children_of_upserts_are_not_noted,
    children_of_a_row_in_anothers_place_are_not_noted,
    ends_of_rows_between_are_not_told,
    one_end_of_two_is_told,
    what_a_savepoint_undid_stays_noted,
    a_savepoint_undoes_all,
    a_transaction_is_not_forgotten,
    the_last_before_is_taken,
    the_first_after_is_taken,
    what_is_left_is_not_told,
    upserts_are_inserts,
    rows_are_reset,
    updates_are_reset,
    deletes_are_reset,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.__name__)
def test_broken_product_is_found(broken, monkeypatch):
    """Found within the number of programs that `make test` runs."""
    runner = Runner(audited=False)

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(programs(UNITS))
    def run(program):
        runner.run(program)

    broken(monkeypatch)

    try:
        with pytest.raises(
            AssertionError, match="did not tell|without a cause|not so|records of one"
        ):
            run()
    finally:
        # A failed program may have left its transaction open, on a broken connection.
        monkeypatch.undo()
        connection.close()
