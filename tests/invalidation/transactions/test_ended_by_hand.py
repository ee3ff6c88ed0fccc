"""Transactions that code ends by hand, within Django's atomic blocks and without."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import override_settings

from invalidation.transactions.journal import journal_of
from realtime.backends import forget_pubsub
from realtime.backends.memory import MemoryPubSub
from tests.invalidation.capture.raw import SHELVES, execute
from tests.invalidation.told import lines, lines_of
from tests.shop.models import Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


class Refused(Exception):
    """An error that a test raises to end a block."""


def make(pk):
    """Create a shelf."""
    return Shelf.objects.create(pk=pk)


def entered(*pks):
    """Return the lines of created shelves."""
    return set().union(*(lines((Shelf, pk), "entered", f"shelf:{pk}") for pk in pks))


def there():
    """Return the keys of the created shelves."""
    return set(Shelf.objects.filter(pk__gt=10).values_list("pk", flat=True))


@contextmanager
def ends_by(error, text):
    """Open a block that ends by an error."""
    with pytest.raises(error, match=f"(?i){text}"), transaction.atomic():
        yield


@contextmanager
def block_that_fails():
    """Open a block that rolls back at its end."""
    with ends_by(Refused, ""):
        yield
        raise Refused


@pytest.fixture
def told(shelves, told):
    """Skip the records of the arranged rows."""
    told.records()
    return told


@pytest.mark.parametrize("sql", ["COMMIT", "END", "/* now */ commit transaction;"])
def test_commit_within_a_block_tells_what_it_commits(sql, told):
    """With the commit, row by row; the rest of the block is a transaction of its own."""
    with transaction.atomic():
        make(11)
        execute(sql)
        assert told.records() == [entered(11)]
        make(12)

    assert told.records() == [entered(12)]
    assert there() == {11, 12}


def test_commit_within_a_block_that_fails_tells_what_stays(told):
    """PostgreSQL rolls back what follows the commit; SQLite has committed each statement."""
    with block_that_fails():
        make(11)
        execute("COMMIT")
        make(12)
        execute("UPDATE shop_shelf SET name = 'x' WHERE id = 12")

    stayed = there()
    assert stayed == ({11, 12} if connection.vendor == "sqlite" else {11})
    extra = [entered(12), SHELVES] if 12 in stayed else []
    assert told.records() == [entered(11), *extra]
    assert journal_of(connection).entries() == ()


def test_write_that_fails_after_the_commit_of_its_block_tells_nothing(told):
    """On SQLite such a statement is a transaction of its own."""
    with ends_by(IntegrityError, "unique"):
        make(11)
        execute("COMMIT")
        Shelf(pk=1).save(force_insert=True)

    assert told.records() == [entered(11)]
    assert connection.get_autocommit()


@pytest.mark.parametrize("sql", ["ROLLBACK", "rollback transaction"])
def test_rollback_within_a_block_tells_nothing_of_it(sql, told):
    """Only what is written after it."""
    with transaction.atomic():
        make(11)
        execute(sql)
        make(12)

    assert told.records() == [entered(12)]
    assert there() == {12}


def test_rollback_to_a_savepoint_drops_what_followed_it(told):
    """By raw SQL, to a savepoint of Django's."""
    with transaction.atomic():
        make(11)
        savepoint = connection.savepoint()
        make(12)
        execute(f"ROLLBACK TO SAVEPOINT {savepoint}")

    assert told.records() == [entered(11)]


def test_rollback_to_a_savepoint_of_raw_sql_resets(told):
    """It is unknown what came before the savepoint."""
    with transaction.atomic():
        make(11)
        execute("SAVEPOINT mine")
        make(12)
        execute("ROLLBACK TO mine")

    assert told.records() == [SHELVES]


def test_commit_that_fails_tells_nothing(told):
    """A deferred foreign key is violated."""
    with ends_by(IntegrityError, "foreign key"):
        Product.objects.create(pk=2, shelf_id=404)
        make(11)
        execute("COMMIT")

    assert told.records() == []
    assert there() == set()


@pytest.mark.postgres
def test_commit_and_chain_begins_the_next_transaction(told):
    """The block's end ends that one."""
    with block_that_fails():
        make(11)
        execute("COMMIT AND CHAIN")
        make(12)

    assert told.records() == [entered(11)]
    assert there() == {11}


@pytest.mark.postgres
def test_text_with_a_commit_resets_what_it_may_have_committed(told):
    """The rows before it and those of the text."""
    with block_that_fails():
        make(11)
        execute("UPDATE shop_shelf SET name = 'x'; COMMIT")
        make(12)

    records = told.records()
    assert records
    assert set().union(*records) == SHELVES
    assert there() == {11}


@pytest.mark.postgres
def test_text_that_commits_and_then_fails_is_told(told):
    """Its first part stays."""
    with ends_by(DatabaseError, "nowhere"):
        make(11)
        execute("COMMIT; UPDATE nowhere SET name = 'x'")

    assert set().union(*told.records()) == SHELVES
    assert there() == {11}


def test_driver_that_commits_is_noticed(told):
    """At once with psycopg; with SQLite's driver at the next statement, by a reset."""
    with block_that_fails():
        make(11)
        connection.connection.commit()
        execute("SELECT 1")
        told_then = told.records()
        make(12)

    assert told_then == ([entered(11)] if connection.vendor == "postgresql" else [SHELVES])
    assert set().union(set(), *told.records()) == (
        entered(12) if connection.vendor == "sqlite" else set()
    )


def test_driver_that_commits_last_is_noticed_at_the_end(told):
    """Before the block's rollback clears the journal."""
    with block_that_fails():
        make(11)
        connection.connection.commit()

    assert len(told.records()) == 1
    assert there() == {11}


def test_driver_that_rolls_back_tells_nothing_false(told):
    """Psycopg's tells nothing; SQLite's may have committed, so that it is reset."""
    with transaction.atomic():
        make(11)
        connection.connection.rollback()

    assert told.records() == ([] if connection.vendor == "postgresql" else [SHELVES])
    assert there() == set()


@pytest.mark.sqlite
def test_script_that_commits_within_a_block_is_noticed(told):
    """Python's `executescript()` commits first."""
    with block_that_fails():
        make(11)
        connection.connection.executescript("SELECT 1")

    assert told.records() == [SHELVES]
    assert there() == {11}


def test_commit_with_autocommit_off_tells_what_it_commits(told):
    """Raw SQL instead of Django's `commit()`."""
    transaction.set_autocommit(False)
    try:
        make(11)
        execute("COMMIT")
        assert told.records() == [entered(11)]
        make(12)
        execute("ROLLBACK")
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)

    assert told.records() == []
    assert there() == {11}


Recording: type[MemoryPubSub] = MemoryPubSub
"""The backend of the next tests, by its path."""


@pytest.fixture
def sent(told, monkeypatch):
    """Use a backend that stores nothing; return the lines that it was sent."""
    received = []

    class Recording(MemoryPubSub):
        def prepare(self, messages, using):
            send = super().prepare(messages, using)

            def send_and_note():
                received.extend(line for message in messages for line in lines_of(message))
                send()

            return send_and_note

    monkeypatch.setattr(sys.modules[__name__], "Recording", Recording)
    path = f"{__name__}.Recording"
    with override_settings(REALTIME={"PUBSUB": {"BACKEND": path}}):
        yield received
    forget_pubsub(setting="REALTIME")


def test_backend_that_stores_nothing_sends_after_a_commit_by_hand(sent):
    """And not before it."""
    with block_that_fails():
        make(11)
        assert sent == []
        execute("COMMIT")
        assert set(sent) == entered(11)


def test_backend_that_stores_nothing_sends_nothing_after_a_rollback_by_hand(sent):
    """The block's end does not send it either."""
    with transaction.atomic():
        make(11)
        execute("ROLLBACK")

    assert sent == []


def test_transaction_of_raw_sql_is_sent_again_when_it_commits(sent):
    """Its end might not be seen, so that each write is sent; clients may read too early then."""
    execute("BEGIN")
    make(11)
    assert set(sent) == entered(11)
    sent.clear()
    execute("COMMIT")

    assert set(sent) == entered(11)


def test_transaction_of_raw_sql_that_rolls_back_is_corrected_by_a_reset(sent):
    """What was sent was not so."""
    execute("BEGIN")
    make(11)
    sent.clear()
    execute("ROLLBACK")

    assert set(sent) == SHELVES
