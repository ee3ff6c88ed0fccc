"""Writes that do not come through the ORM."""

from __future__ import annotations

import threading

import pytest
from django.core.management import call_command
from django.core.management.color import no_style
from django.core.management.commands import flush
from django.db import IntegrityError, connection, connections, migrations, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.test import TestCase

from invalidation.capture.raw_sql import detector
from invalidation.changes import UnknownRows
from invalidation.transactions.journal import journal_of
from realtime.backends.database import records
from realtime.models import StoredRecord
from tests.invalidation.capture.raw import PRODUCTS, SHELVES, UPDATE, execute, undone
from tests.invalidation.told import _all_records, lines, lines_of
from tests.shop.models import Product, Shelf, Visit

pytestmark = pytest.mark.django_db(transaction=True)


class Refused(Exception):
    """An error that a test raises to end a block."""


def names():
    """Return the names of the shelves."""
    return list(Shelf.objects.order_by("pk").values_list("name", flat=True))


def test_executed_statement_is_told(told):
    """The rows are unknown: the model's families are reset."""
    execute(UPDATE)

    assert told() == SHELVES


def test_statement_with_many_parameters_is_told(told):
    """It commits all of its rows, or none, with one record."""
    with connection.cursor() as cursor:
        rows = [(21, "a"), (22, "b")]
        cursor.executemany("INSERT INTO shop_shelf (id, name) VALUES (%s, %s)", rows)

    assert told() == SHELVES
    assert names() == ["", "", "a", "b"]


def test_statement_and_its_record_are_one_unit(told, monkeypatch):
    """If the record cannot be stored, the write is rolled back."""

    def refuse(*_):
        raise Refused

    monkeypatch.setattr(records, "write", refuse)
    with pytest.raises(Refused):
        execute(UPDATE)

    assert names() == ["", ""]
    assert journal_of(connection).entries() == ()
    assert connection.get_autocommit()


def test_statement_in_a_transaction_is_told_with_it(lamp, told):
    """The resets are in the record of the ORM's writes."""
    with transaction.atomic():
        execute(UPDATE)
        lamp.delete()
        assert told.records() == []

    product = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert told() == SHELVES | product


def test_statement_that_is_rolled_back_is_not_told(told):
    """With its transaction or with a savepoint, manual ones included."""
    with undone():
        execute(UPDATE)
    with transaction.atomic():
        with undone():
            execute(UPDATE)
        savepoint = connection.savepoint()
        execute(UPDATE)
        connection.savepoint_rollback(savepoint)

    assert told.records() == []


def test_statement_that_fails_tells_nothing(told):
    """Outside a transaction, and within a savepoint of its own."""
    twice = "INSERT INTO shop_shelf (id, name) VALUES (1, 'twice')"
    with pytest.raises(IntegrityError):
        execute(twice)
    with transaction.atomic(), pytest.raises(IntegrityError), transaction.atomic():
        execute(twice)

    assert told.records() == []
    assert journal_of(connection).entries() == ()


@pytest.mark.sqlite
def test_statement_that_fails_half_way_is_told(told):
    """On SQLite its first rows stay if the transaction goes on."""
    rows = [(21, "a"), (1, "twice")]
    insert = "INSERT INTO shop_shelf (id, name) VALUES (%s, %s)"
    with transaction.atomic(), connection.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.executemany(insert, rows)

    assert told() == SHELVES
    assert names() == ["", "", "a"]


def test_statements_with_autocommit_off_are_told_by_the_commit(told):
    """A rollback drops them."""
    transaction.set_autocommit(False)
    try:
        execute(UPDATE)
        transaction.rollback()
        assert told.records() == []
        execute(UPDATE)
        assert told.records() == []
        transaction.commit()
        assert told() == SHELVES
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.mark.sqlite
def test_table_changed_with_autocommit_off_is_told_at_once(told):
    """SQLite's driver opens no transaction for DDL: it is committed already."""
    transaction.set_autocommit(False)
    try:
        execute("ALTER TABLE shop_shelf RENAME COLUMN name TO title")
        transaction.rollback()
        assert told() == SHELVES
        execute("ALTER TABLE shop_shelf RENAME COLUMN title TO name")
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_transaction_begun_by_raw_sql_holds_the_record(told):
    """Django does not know of it; the raw COMMIT commits both."""
    execute("BEGIN")
    execute(UPDATE)
    execute("ROLLBACK")
    assert told.records() == []

    execute("BEGIN")
    execute(UPDATE)
    execute("COMMIT")
    assert told() == SHELVES
    assert names() == ["raw", "raw"]


def test_rows_that_a_write_returns_can_be_fetched(told):
    """Also one by one, after the resets are stored."""
    with connection.cursor() as cursor:
        cursor.execute(f"{UPDATE} RETURNING id")
        assert [cursor.fetchone(), cursor.fetchone(), cursor.fetchone()] == [(1,), (2,), None]

    assert told() == SHELVES
    connection.close()
    assert names() == ["raw", "raw"]


def test_statement_of_the_orm_is_told_by_rows_alone(lamp, told):
    """Capture's statements and its lock statement are marked."""
    lamp.delete()
    assert told() == lines((Product, 1), "left", "shelf:1", "maker:me")

    Shelf.objects.filter(pk=1).update(name="orm")
    assert told() == lines((Shelf, 1), "updated", "shelf:1")


def test_statement_that_another_tool_has_commented_on_is_still_the_orms(told):
    """Tracing tools append comments after the marker."""

    def comment(execute, sql, params, many, context):
        return execute(f"{sql} /*route='shelves'*/", params, many, context)

    with connection.execute_wrapper(comment):
        Shelf.objects.filter(pk=1).update(name="orm")

    assert told() == lines((Shelf, 1), "updated", "shelf:1")


def test_statements_that_do_not_write_tracked_tables_tell_nothing(told):
    """Writes of untracked tables, with Django's own subqueries over tracked ones; and reads."""
    Visit.objects.create(page="raw")
    execute("UPDATE shop_visit SET page = 'UPDATE shop_shelf'")
    Visit.objects.filter(pk__in=Shelf.objects.values("pk")).delete()
    execute("SELECT * FROM shop_shelf")

    assert told.records() == []


def test_sql_in_a_migration_is_told(told):
    """RunSQL is executed as `migrate` does."""
    migration = migrations.Migration("0099_raw", "shop")
    migration.operations = [migrations.RunSQL([UPDATE, "UPDATE shop_product SET name = 'raw'"])]
    executor = MigrationExecutor(connection)
    try:
        executor.apply_migration(ProjectState(), migration)
    finally:
        MigrationRecorder(connection).record_unapplied("shop", "0099_raw")

    assert told() == SHELVES | PRODUCTS


def test_tracked_table_that_is_altered_is_told(told):
    """SQLite makes a new table, copies the rows and renames it."""
    old, new = Shelf._meta.get_field("name"), models.CharField(max_length=60, default="x")
    new.set_attributes_from_name("name")
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(Shelf, old, new)
        assert told() >= SHELVES
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(Shelf, new, old)


def test_flushed_database_is_told(told):
    """The flush deletes the records; one with resets follows it."""
    # Django's own command: capture does not see the tests' one.
    call_command(flush.Command(), interactive=False, verbosity=0)

    assert told_after_a_flush() >= SHELVES | PRODUCTS


def test_flushed_tables_are_told(told):
    """As TransactionTestCase flushes."""
    # All tables of the shop: PostgreSQL empties none that another refers to.
    tables = [t for t in connection.introspection.table_names() if t.startswith("shop_")]
    sql = connection.ops.sql_flush(no_style(), tables)

    connection.ops.execute_sql_flush(sql)

    assert told() >= SHELVES | PRODUCTS


def told_after_a_flush():
    """Return the lines of all stored records."""
    return {
        line
        for record in _all_records()
        for message in record.messages
        for line in lines_of(message)
    }


def test_every_connection_is_watched_once(told):
    """Other threads' connections have it from the start, and reconnected ones too."""
    found = []

    def work():
        try:
            execute(UPDATE)
            found.extend(connections["default"].execute_wrappers)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    connection.close()
    execute(UPDATE)
    detector.install()

    assert found == [detector._detect]
    assert connection.execute_wrappers.count(detector._detect) == 1
    assert told.records() == [SHELVES, SHELVES]


def test_connection_opened_within_another_wrapper_stays_watched(told):
    """The end of a wrapper's block removes the last wrapper of the list."""
    connection.close()
    connection.execute_wrappers.remove(detector._detect)

    with connection.execute_wrapper(lambda execute, *args: execute(*args)):
        execute("SELECT 1")
    execute(UPDATE)

    assert connection.execute_wrappers == [detector._detect]
    assert told() == SHELVES


class UsualTests(TestCase):
    """Tests that never commit."""

    def test_raw_sql_is_noted(self):
        """The journal has it, for the test helpers; no record is stored."""
        count = StoredRecord.objects.count()

        execute(UPDATE)

        assert UnknownRows(Shelf, "raw-sql") in journal_of(connection).entries()
        assert StoredRecord.objects.count() == count
