"""Capturing INSERT … ON CONFLICT DO UPDATE: which rows were there, and what they were."""

from __future__ import annotations

from typing import Any

from invalidation.capture.children import note_children
from invalidation.capture.inserts import run_returning
from invalidation.capture.reading import Key, Rows
from invalidation.capture.rewriting import returned
from invalidation.capture.units import row_lock, take_write_lock
from invalidation.capture.writing import Writing

INSERTED = "(xmax = 0)"
"""What PostgreSQL says of a row that was made just now, and not of one that was updated."""


def upsert(writing: Writing) -> Any:
    """Run an upsert; return the rows of the fields that Django asked for.

    The rows in conflict are locked and read first. One that somebody else makes between that and
    the write is updated without having been read: then it is not known what it was.
    """
    connection, reader = writing.connection, writing.reader
    keys = _conflicting_keys(writing)
    if keys is None:
        return writing.run_blindly()
    take_write_lock(connection, writing.plan.model)
    quote = connection.ops.quote_name
    unique = [f"{reader.table}.{quote(f.column)}" for f in writing.compiler.query.unique_fields]
    before = reader.select_having(unique, keys, row_lock(connection))
    asked = list(writing.asked or ())
    says = INSERTED if connection.vendor == "postgresql" else "1"
    rows = run_returning(writing, [*asked, *reader.fields], says)
    after = writing.read_back(rows, len(asked))
    if _all_were_read(writing, rows, before):
        met = {key: before[key] for key in before if key in after}
        writing.note(writing.plan.declaration, met, after)
        note_children(writing, list(met))
    else:
        writing.note_unknown(writing.plan.declarations)
    return returned(writing, asked, rows)


def _conflicting_keys(writing: Writing) -> list[Key] | None:
    """Return what the new rows have in the unique columns; None if only the database knows."""
    query = writing.compiler.query
    keys = []
    for obj in query.objs:
        values = [getattr(obj, field.attname) for field in query.unique_fields]
        if any(hasattr(value, "resolve_expression") for value in values):
            return None
        keys.append(
            tuple(
                field.get_db_prep_save(value, connection=writing.connection)
                for field, value in zip(query.unique_fields, values, strict=True)
            )
        )
    return keys


def _all_were_read(writing: Writing, rows: list[Any], before: Rows) -> bool:
    start = len(writing.asked or ())
    keys = len(writing.reader.keys)
    return all(row[-1] or tuple(row[start : start + keys]) in before for row in rows)
