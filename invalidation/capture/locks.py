"""Lock rows, or the whole database, before the rows of a write are read."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.capture.sql_marker import with_marker
from invalidation.transactions.journal import journal_of

NO_KEY_UPDATE = " FOR NO KEY UPDATE"
"""The lock that an UPDATE of other columns than keys takes. `FOR UPDATE` would delay inserts of
children.
"""


def row_lock(connection: BaseDatabaseWrapper) -> str:
    """Return the SQL after a SELECT that locks its rows; empty on SQLite, which has one writer."""
    return NO_KEY_UPDATE if connection.features.has_select_for_no_key_update else ""


def take_write_lock(connection: BaseDatabaseWrapper, model: type[Model]) -> None:
    """Take SQLite's write lock before the transaction reads; do nothing on other databases.

    A SQLite transaction that reads first and writes later fails at once with "database is locked"
    if another connection has written in between. One whose first statement writes waits for its
    turn.
    """
    journal = journal_of(connection)
    if connection.vendor == "sqlite" and not journal.is_writing:
        table = connection.ops.quote_name(model._meta.db_table)
        # The key column, since a table may be made WITHOUT ROWID.
        column = connection.ops.quote_name(str(model._meta.pk_fields[0].column))
        with connection.cursor() as cursor:
            cursor.execute(with_marker(f"UPDATE {table} SET {column} = {column} WHERE 0"))  # noqa: S608
        journal.is_writing = True
