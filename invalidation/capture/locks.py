"""Lock rows, or the whole database, before the rows of a write are read."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from invalidation.transactions.journal import journal_of

NO_KEY_UPDATE = " FOR NO KEY UPDATE"
"""The lock that an UPDATE of other columns than keys takes. `FOR UPDATE` would delay inserts of
children.
"""

FOR_UPDATE = " FOR UPDATE"
"""The lock that an UPDATE of keys takes."""

IF_FREE = " FOR SHARE SKIP LOCKED"
"""A lock that waits for no other transaction; it leaves out the rows that one is writing."""


def take_write_lock(connection: BaseDatabaseWrapper, model: type[Model]) -> None:
    """Take SQLite's write lock before the transaction reads; do nothing on other databases.

    A SQLite transaction that reads first and writes later fails at once with "database is locked"
    if another connection has written in between. One whose first statement writes waits for its
    turn. It goes past Django's cursor, so that `assertNumQueries` counts the same for each write
    of a transaction.
    """
    journal = journal_of(connection)
    if connection.vendor == "sqlite" and not journal.is_writing:
        table = connection.ops.quote_name(model._meta.db_table)
        # Any column that can be written; a table may be made WITHOUT ROWID.
        fields: Any = model._meta.local_concrete_fields
        column = connection.ops.quote_name(next(f.column for f in fields if not f.generated))
        driver: Any = connection.connection
        with connection.wrap_database_errors:
            driver.execute(f"UPDATE {table} SET {column} = {column} WHERE 0")  # noqa: S608
        journal.is_writing = True
