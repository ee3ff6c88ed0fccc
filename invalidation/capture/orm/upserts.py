"""Capture INSERT … ON CONFLICT DO UPDATE: the rows in conflict, before and after."""

from __future__ import annotations

from typing import Any

from invalidation.capture.locks import row_lock, take_write_lock
from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.inserts import Statements, run, statements
from invalidation.capture.orm.row_reader import Key, Rows, Unreadable
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.table_kind import has_system_columns
from invalidation.capture.orm.write import Write

INSERTED = "(xmax = 0)"
"""SQL of PostgreSQL: true for a row that this statement inserted, false for an updated one."""


def upsert(write: Write) -> Any:
    """Run an upsert; return the rows of the fields that Django asked for.

    The rows in conflict are locked and read first. A row that another transaction inserts between
    that and the write is updated without having been read; the rows are then unknown.
    """
    connection, reader = write.connection, write.reader
    updated = [str(field.column) for field in write.compiler.query.update_fields]
    write.note_unknown(write.plan.cascaded_by_update(updated))
    if _are_expressions(write) or not has_system_columns(write):
        return write.run_and_reset()
    asked = list(write.asked or ())
    made, keys = _spelled(write, [*asked, *reader.fields])
    take_write_lock(connection, write.plan.model)
    unique = [reader.column(field) for field in write.compiler.query.unique_fields]
    try:
        before = reader.select_having(unique, keys, row_lock(connection))
    except Unreadable:
        return write.run_and_reset()
    says = INSERTED if connection.vendor == "postgresql" else "1"
    rows = run(write, made, says)
    with write.reset_if_unreadable():
        _note(write, rows, before)
    return returned(write, asked, rows)


def _note(write: Write, rows: list[Any], before: Rows) -> None:
    after = write.read_back(rows, len(write.asked or ()))
    if _all_were_read(write, rows, before):
        updated = {key: before[key] for key in before if key in after}
        note_rows(write, updated, after)
    else:
        write.note_unknown(write.plan.declarations)


def _are_expressions(write: Write) -> bool:
    """Return True if only the database knows the new rows' values in the unique columns."""
    query = write.compiler.query
    return any(
        hasattr(getattr(obj, field.attname), "resolve_expression")
        for obj in query.objs
        for field in query.unique_fields
    )


def _spelled(write: Write, fields: list[Any]) -> tuple[Statements, list[Key]]:
    """Let Django build the statement; return it and its rows' values in the unique columns.

    A field's `pre_save()` may make a new value at each call, so the values are those of Django's
    one call.
    """
    compiler, unique = write.compiler, write.compiler.query.unique_fields
    given: dict[tuple[int, Any], Any] = {}
    pre_save_val = compiler.pre_save_val

    def remembering(field: Any, obj: Any) -> Any:
        value = given[id(obj), field] = pre_save_val(field, obj)
        return value

    compiler.pre_save_val = remembering
    try:
        made = statements(write, fields)
    finally:
        del compiler.pre_save_val
    keys = [
        tuple(
            field.get_db_prep_save(
                given.get((id(obj), field), getattr(obj, field.attname)),
                connection=write.connection,
            )
            for field in unique
        )
        for obj in compiler.query.objs
    ]
    return made, keys


def _all_were_read(write: Write, rows: list[Any], before: Rows) -> bool:
    start = len(write.asked or ())
    keys = len(write.reader.keys)
    return all(row[-1] or tuple(row[start : start + keys]) in before for row in rows)
