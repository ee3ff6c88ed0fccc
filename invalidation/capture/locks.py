"""Lock rows, or the database, before the rows of a write are read."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.capture.sql_marker import marked
from invalidation.transactions.journal import journal_of

NO_KEY_UPDATE = " FOR NO KEY UPDATE"
"""The lock of an UPDATE that leaves keys alone; `FOR UPDATE` would hold up inserts of children."""


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
