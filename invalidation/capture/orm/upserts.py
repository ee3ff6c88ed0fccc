"""Capturing INSERT … ON CONFLICT DO UPDATE: which rows were there, and what they were."""

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
"""What PostgreSQL says of a row that was made just now, and not of one that was updated."""


def upsert(writing: Write) -> Any:
    """Run an upsert; return the rows of the fields that Django asked for.

    The rows in conflict are locked and read first. One that somebody else makes between that and
    the write is updated without having been read: then it is not known what it was.
    """
    connection, reader = writing.connection, writing.reader
    if _are_expressions(writing) or not has_system_columns(writing):
        return writing.run_blindly()
    asked = list(writing.asked or ())
    made, keys = _spelled(writing, [*asked, *reader.fields])
    take_write_lock(connection, writing.plan.model)
    unique = [reader.column(field) for field in writing.compiler.query.unique_fields]
    try:
        before = reader.select_having(unique, keys, row_lock(connection))
    except Unreadable:
        return writing.run_blindly()
    says = INSERTED if connection.vendor == "postgresql" else "1"
    rows = run(writing, made, says)
    with writing.reading():
        _note(writing, rows, before)
    return returned(writing, asked, rows)


def _note(writing: Write, rows: list[Any], before: Rows) -> None:
    after = writing.read_back(rows, len(writing.asked or ()))
    if _all_were_read(writing, rows, before):
        updated = {key: before[key] for key in before if key in after}
        note_rows(writing, updated, after)
    else:
        writing.note_unknown(writing.plan.declarations)


def _are_expressions(writing: Write) -> bool:
    """Does only the database know what the new rows have in the unique columns?"""
    query = writing.compiler.query
    return any(
        hasattr(getattr(obj, field.attname), "resolve_expression")
        for obj in query.objs
        for field in query.unique_fields
    )


def _spelled(writing: Write, fields: list[Any]) -> tuple[Statements, list[Key]]:
    """Let Django spell the statement; return it and what its rows have in the unique columns.

    A field may make its value when it is asked for it (`pre_save()`), and another one each time: so
    it is asked once, by Django.
    """
    compiler, unique = writing.compiler, writing.compiler.query.unique_fields
    given: dict[tuple[int, Any], Any] = {}
    pre_save_val = compiler.pre_save_val

    def remembering(field: Any, obj: Any) -> Any:
        value = given[id(obj), field] = pre_save_val(field, obj)
        return value

    compiler.pre_save_val = remembering
    try:
        made = statements(writing, fields)
    finally:
        del compiler.pre_save_val
    keys = [
        tuple(
            field.get_db_prep_save(
                given.get((id(obj), field), getattr(obj, field.attname)),
                connection=writing.connection,
            )
            for field in unique
        )
        for obj in compiler.query.objs
    ]
    return made, keys


def _all_were_read(writing: Write, rows: list[Any], before: Rows) -> bool:
    start = len(writing.asked or ())
    keys = len(writing.reader.keys)
    return all(row[-1] or tuple(row[start : start + keys]) in before for row in rows)
