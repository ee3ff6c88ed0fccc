"""Capture DELETE: the database returns the deleted rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import EmptyResultSet

from invalidation.capture.locks import take_write_lock
from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.statement import can_be_read, exceeds, is_bounded
from invalidation.capture.orm.write import NOTHING, Write


def delete(writing: Write) -> Any:
    """Run a DELETE; return the number of deleted rows."""
    reader = writing.reader
    try:
        sql, params = writing.compiler.as_sql()
    except EmptyResultSet:
        return writing.run()
    condition = _condition_of(sql, reader.table)
    if condition is None or not can_be_read(writing):
        return _blindly(writing)
    if not is_bounded(writing):
        take_write_lock(writing.connection, writing.plan.model)
        if exceeds(writing, condition, params):
            return _blindly(writing)
    rows, count = writing.execute(f"{sql} RETURNING {reader.list}", params, needed=False)
    if rows is not None:
        with writing.reading():
            note_rows(writing, reader.rows(rows), NOTHING)
    _note_cascades(writing, count)
    return count


def _condition_of(sql: str, table: str) -> str | None:
    """Return the SQL after WHERE, empty without a WHERE; None if the statement has another form."""
    whole = f"DELETE FROM {table}"  # noqa: S608 -- a quoted name
    if sql == whole:
        return ""
    condition = sql.removeprefix(f"{whole} WHERE ")
    return None if condition == sql else condition


def _blindly(writing: Write) -> Any:
    count = writing.run_blindly()
    _note_cascades(writing, count)
    return count


def _note_cascades(writing: Write, count: int) -> None:
    """Record that the database may have deleted or changed rows by a cascade of its own."""
    if count:
        writing.note_unknown(writing.plan.cascaded)
