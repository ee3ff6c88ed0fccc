"""Capture DELETE: the database returns the deleted rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import EmptyResultSet

from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.statement import exceeds, is_bounded
from invalidation.capture.orm.step_back import can_be_captured, can_still_be_captured
from invalidation.capture.orm.write import NO_ROWS, Write


def delete(write: Write) -> Any:
    """Run a DELETE; return the number of deleted rows."""
    reader = write.reader
    try:
        sql, params = write.compiler.as_sql()
    except EmptyResultSet:
        return write.run()
    condition = _condition_of(sql, reader.table)
    if condition is None or not can_be_captured(write):
        return _run_and_reset(write)
    if not is_bounded(write) and (
        not can_still_be_captured(write) or exceeds(write, condition, params)
    ):
        return _run_and_reset(write)
    rows, count, is_whole = write.execute(f"{sql} RETURNING {reader.list}", params)
    if is_whole:
        with write.reset_if_unreadable():
            note_rows(write, reader.rows(rows), NO_ROWS)
    _note_cascades(write, count)
    return count


def _condition_of(sql: str, table: str) -> str | None:
    """Return the SQL after WHERE, empty without a WHERE; None if the statement has another form."""
    whole = f"DELETE FROM {table}"  # noqa: S608 -- a quoted name
    if sql == whole:
        return ""
    condition = sql.removeprefix(f"{whole} WHERE ")
    return None if condition == sql else condition


def _run_and_reset(write: Write) -> Any:
    count = write.run_and_reset()
    _note_cascades(write, count)
    return count


def _note_cascades(write: Write, count: int) -> None:
    """Note that the database may have deleted or changed rows by a cascade of its own."""
    if count:
        write.note_unknown(write.plan.cascaded)
