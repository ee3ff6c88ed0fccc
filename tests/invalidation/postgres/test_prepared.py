"""Transactions that are prepared, and committed or rolled back later."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, connections, transaction

from invalidation.tracking.registry import declarations
from invalidation.transactions import prepared
from tests.invalidation.capture.raw import SHELVES, execute
from tests.invalidation.told import lines
from tests.shop.models import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Know no prepared transaction, and roll back those that a test leaves."""
    monkeypatch.setattr(prepared, "_kept", {})
    yield
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        for (name,) in cursor.fetchall():
            cursor.execute(f"ROLLBACK PREPARED '{name}'")


@pytest.fixture
def told(shelves, told):
    """Skip the records of the arranged rows."""
    told.records()
    return told


def make(pk):
    """Create a shelf."""
    return Shelf.objects.create(pk=pk)


def entered(pk):
    """Return the lines of a created shelf."""
    return lines((Shelf, pk), "entered", f"shelf:{pk}")


def prepare(pk=11):
    """Write a row, and prepare its transaction."""
    with transaction.atomic():
        make(pk)
        execute("PREPARE TRANSACTION 'One'")


def in_another_thread(work):
    """Run `work` on a connection of its own."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_prepared_transaction_is_told_when_it_is_committed(told):
    """Not when its block ends."""
    prepare()
    assert told.records() == []

    execute("COMMIT PREPARED 'One'")

    assert told.records() == [entered(11)]


def test_another_connection_may_commit_it(told):
    """Of the same process."""
    prepare()

    in_another_thread(lambda: execute("COMMIT PREPARED %s", ["One"]))

    assert told.records() == [entered(11)]


def test_prepared_transaction_that_is_rolled_back_tells_nothing(told):
    """Its record is rolled back too."""
    prepare()
    execute("ROLLBACK PREPARED 'One'")

    assert told.records() == []
    assert prepared._kept == {}


def test_transaction_of_raw_sql_can_be_prepared(told):
    """Storing its messages sends no NOTIFY, which PostgreSQL would refuse to prepare."""
    execute("BEGIN")
    make(11)
    execute("PREPARE TRANSACTION 'One'")
    assert told.records() == []
    execute("COMMIT PREPARED 'One'")

    assert told.records() == [entered(11)]


def test_block_goes_on_after_its_transaction_was_prepared(told):
    """What follows is another transaction."""
    with transaction.atomic():
        make(11)
        execute("PREPARE TRANSACTION 'One'")
        make(12)

    assert told.records() == [entered(12)]


def test_commit_by_another_program_is_told(told):
    """The record is in the prepared transaction."""
    prepare()
    # By the driver's own cursor: this process does not see it.
    with connection.cursor() as cursor:
        cursor.connection.execute("COMMIT PREPARED 'One'")

    assert told.records() == [entered(11)]


def test_commit_of_what_another_process_has_prepared_resets_all(told, monkeypatch):
    """The name says nothing about the rows."""
    prepare()
    monkeypatch.setattr(prepared, "_kept", {})

    execute("COMMIT PREPARED 'One'")

    rows, resets = told.records()
    assert rows == entered(11)
    families = {f"{family} reset raw-sql" for each in declarations() for family in each.families}
    assert resets == families


def test_transaction_that_cannot_be_prepared_tells_nothing(told):
    """PostgreSQL rolls it back."""
    prepare()
    with pytest.raises(DatabaseError, match="already in use"):
        prepare(pk=12)

    assert told.records() == []
    assert connection.get_autocommit()
    execute("COMMIT PREPARED 'One'")
    assert told.records() == [entered(11)]


def test_failed_transaction_is_not_kept(told):
    """PREPARE rolls it back, without an error."""
    execute("BEGIN")
    with pytest.raises(DatabaseError, match="nowhere"):
        execute("UPDATE nowhere SET name = 'x'")
    execute("PREPARE TRANSACTION 'One'")

    assert prepared._kept == {}


def test_two_phase_commit_of_the_driver_is_told(told):
    """With resets of all models: the driver may commit any process's transaction."""
    connection.ensure_connection()
    transaction.set_autocommit(False)
    try:
        driver = connection.connection
        driver.tpc_begin(driver.xid(1, "one", "branch"))
        make(11)
        driver.tpc_prepare()
        driver.tpc_commit()
    finally:
        transaction.set_autocommit(True)

    rows, resets = told.records()
    assert rows == entered(11)
    assert resets >= SHELVES


def test_oldest_prepared_transactions_are_forgotten(monkeypatch):
    """So that those which are never committed take bounded memory."""
    monkeypatch.setattr(prepared, "MOST_KEPT", 2)
    for name in ("one", "two", "three"):
        prepared.keep(connection, name, [])

    assert [prepared.is_kept(connection, name) for name in ("one", "two", "three")] == [
        False,
        True,
        True,
    ]


def test_reset_of_raw_sql_is_told_with_the_prepared_transaction(told):
    """Raw writes too."""
    with transaction.atomic():
        execute("UPDATE shop_shelf SET name = 'x'")
        execute("PREPARE TRANSACTION 'One'")
    execute("COMMIT PREPARED 'One'")

    assert told.records() == [SHELVES]
