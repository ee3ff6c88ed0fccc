"""Making a write and its stored message one unit, and locking before reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.capture.driver import is_in_transaction
from invalidation.capture.marker import marked
from invalidation.commit import flush
from invalidation.journal import journal_of

NO_KEY_UPDATE = " FOR NO KEY UPDATE"
"""The lock of an UPDATE that leaves keys alone; `FOR UPDATE` would hold up inserts of children."""


def unit(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Surround a write by a transaction, where its writer has none."""
    if connection.in_atomic_block or not connection.get_autocommit():
        return nullcontext()
    if is_in_transaction(connection):
        # Begun by raw SQL: Django does not know of it.
        return _telling_at_once(connection)
    return _own_transaction(connection)


def row_lock(connection: BaseDatabaseWrapper) -> str:
    """Return the SQL behind a SELECT that locks its rows; none where only one can write at all."""
    return NO_KEY_UPDATE if connection.features.has_select_for_no_key_update else ""


def take_write_lock(connection: BaseDatabaseWrapper, model: type[Model]) -> None:
    """Make the transaction a writer before it reads, where a database has but one writer.

    On SQLite a transaction that reads first and writes then fails at once with "database is
    locked" when somebody else wrote in between; one whose first statement writes waits its turn.
    """
    journal = journal_of(connection)
    if connection.vendor == "sqlite" and not journal.is_writing:
        table = connection.ops.quote_name(model._meta.db_table)
        # By the key: a table may have been made without a rowid.
        column = connection.ops.quote_name(str(model._meta.pk_fields[0].column))
        with connection.cursor() as cursor:
            cursor.execute(marked(f"UPDATE {table} SET {column} = {column} WHERE 0"))  # noqa: S608
        journal.is_writing = True


def tell_at_once(connection: BaseDatabaseWrapper) -> None:
    """Store what was noted in the open transaction, which somebody else will end."""
    send = flush(connection)
    journal_of(connection).clear()
    if send is not None:
        send()


@contextmanager
def _own_transaction(connection: Any) -> Iterator[None]:
    sqlite = connection.vendor == "sqlite"
    mode = connection.transaction_mode if sqlite else None
    if sqlite:
        # The lock is taken with the transaction, and needs no statement of its own.
        connection.transaction_mode = "IMMEDIATE"
    try:
        with transaction.atomic(using=connection.alias, savepoint=False):
            journal_of(connection).is_writing = True
            yield
    finally:
        if sqlite:
            connection.transaction_mode = mode


@contextmanager
def _telling_at_once(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Store the message right behind the write: whoever began the transaction ends both."""
    yield
    tell_at_once(connection)
