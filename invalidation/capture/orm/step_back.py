"""Decide whether capture may touch a write; if not, Django's own method runs untouched.

A tracked write does what it does untracked. What capture adds to a statement, a RETURNING clause
and a read before it, is impossible for some tables, roles and connections. Such a write runs as it
is, and the families of its models are reset.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.capture.catalogue import facts_before, facts_of
from invalidation.capture.catalogue.facts import TableFacts
from invalidation.capture.locks import take_write_lock
from invalidation.capture.orm.row_reader import RowReader, has_columns
from invalidation.capture.orm.write import Write
from invalidation.transactions.journal import journal_of
from realtime.telemetry import is_due

logger = logging.getLogger("invalidation.capture")


def can_be_captured(write: Write) -> bool:
    """Return True if the rows can be read and returned, and reading them is of use.

    Rows that concern no declaration, and rows of models whose families a long transaction resets
    anyway, are not read. A model class other
    than the tracked one, a migration's or a second one of the table, must have the read columns,
    with the same types: between migrations a column may not exist yet, and reading it would make
    the write fail.
    """
    declarations = write.plan.declarations
    if not declarations or journal_of(write.connection).resets_all_of(declarations):
        return False
    if not can_be_read(write.connection, write.reader):
        return False
    model = write.compiler.query.model
    if model._meta.concrete_model is write.plan.model:
        return True
    return has_columns(model, write.reader.fields, write.connection)


def can_be_read(connection: BaseDatabaseWrapper, reader: RowReader) -> bool:
    """Return True if the role can read the reader's columns, and their key tells rows apart.

    The reader then identifies rows as the table allows.
    """
    if not _returns_rows(connection):
        return False
    table = str(reader.model._meta.db_table)
    facts = _facts(connection, reader)
    if facts is None:
        return False
    if reader.facts is not facts:
        reader.facts, reader.obstacle = facts, _why_not(facts, reader)
        reader.identify_by(facts.rowid)
    if why := reader.obstacle:
        if why.startswith(_RIGHTS) and is_due(f"capture of {table}"):
            logger.warning("writes of %s are told as resets of its families: %s", table, why)
        return False
    return True


def can_still_be_captured(write: Write) -> bool:
    """Take the write lock of SQLite, and return True if the rows can be captured under it."""
    if journal_of(write.connection).is_writing:
        return True
    take_write_lock(write.connection, write.plan.model)
    return can_be_read(write.connection, write.reader)


def _facts(connection: BaseDatabaseWrapper, reader: RowReader) -> TableFacts | None:
    """Return the table's facts; on SQLite without a look at the database before the write lock.

    Return None if they are not known and the write lock cannot be taken.
    """
    table = str(reader.model._meta.db_table)
    if connection.vendor == "sqlite" and not journal_of(connection).is_writing:
        known = facts_before(connection, table)
        if known is not None:
            return known
        try:
            take_write_lock(connection, reader.model)
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlite_errorcode", None) in _BUSY:
                raise
            # A view that has no trigger for an UPDATE.
            return None
    return facts_of(connection, table)


_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _returns_rows(connection: Any) -> bool:
    if connection.needs_rollback or connection.connection is None:
        # Django refuses the write.
        return False
    if connection.vendor == "sqlite":
        # RETURNING came with SQLite 3.35.
        return bool(connection.features.can_return_columns_from_insert)
    # psycopg's pipeline mode: no statement has a result before the pipeline is synchronised.
    pipeline = getattr(connection.connection, "pgconn", None)
    return not (pipeline and pipeline.pipeline_status)


_RIGHTS = "the role "


def _why_not(facts: TableFacts, reader: RowReader) -> str:
    """Return why rows of the table cannot be captured, or an empty text."""
    if facts.obstacle:
        return facts.obstacle
    if facts.hides_rows:
        return f"{_RIGHTS}writes under row-level security, which may hide rows from it"
    if not reader.column_names <= facts.columns:
        return "a column is missing"
    if hidden := reader.column_names & facts.unreadable:
        return f"{_RIGHTS}may not read {', '.join(sorted(hidden))}"
    return "" if facts.is_unique(reader.key_names) else "its key is not unique"
