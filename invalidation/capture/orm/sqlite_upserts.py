"""Capture an upsert on SQLite: the rows in conflict are read first, under the write lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.inserts import Statements, are_plain, run, statements
from invalidation.capture.orm.row_reader import Identity, Unreadable
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.step_back import can_still_be_captured
from invalidation.capture.orm.write import Write


def upsert_on_sqlite(write: Write) -> Any:
    """Run an upsert; return the rows of the fields that Django asked for."""
    reader, asked = write.reader, list(write.asked or ())
    if not can_still_be_captured(write):
        return write.run_and_reset()
    collations = _collations(write)
    if collations is None or _are_unknown(write):
        return write.run_and_reset()
    made, keys = _spelled(write)
    if not are_plain(made):
        return write.run_built(made)
    unique = [
        reader.column(field) + collations[str(field.column).lower()]
        for field in write.compiler.query.unique_fields
    ]
    try:
        before = reader.select_having(unique, keys)
    except Unreadable:
        return write.run_built(made)
    rows, is_whole = run(write, made, reader.selected)
    if is_whole:
        with write.reset_if_unreadable():
            after = write.read_back(rows, len(asked))
            updated = {identity: before[identity] for identity in before if identity in after}
            note_rows(write, updated, after)
    return returned(write, asked, rows)


def _collations(write: Write) -> Mapping[str, str] | None:
    """Return, as SQL, the collation by which the index finds a conflict in each unique column.

    It may differ from that of the column. Return None if it is not known.
    """
    facts = write.reader.facts
    columns = {str(field.column).lower() for field in write.compiler.query.unique_fields}
    found = [each for each in (facts.unique if facts else ()) if each.keys() == columns]
    if not found or any(each != found[0] for each in found):
        return None
    # By another collation the column may find more rows than the index, which does no harm.
    return {
        name: "" if collation == "BINARY" else f" COLLATE {collation}"
        for name, collation in found[0].items()
    }


def _are_unknown(write: Write) -> bool:
    """Return True if only the database knows the new rows' values in the unique columns."""
    query = write.compiler.query
    placeholders = ("get_placeholder", "get_placeholder_sql")
    if any(f.generated or any(hasattr(f, p) for p in placeholders) for f in query.unique_fields):
        return True
    return any(
        hasattr(getattr(obj, field.attname), "resolve_expression")
        for obj in query.objs
        for field in query.unique_fields
    )


def _spelled(write: Write) -> tuple[Statements, list[Identity]]:
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
        made = statements(write)
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
