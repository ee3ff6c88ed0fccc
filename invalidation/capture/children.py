"""Rows of multi-table children, which change when their parents' columns do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from invalidation.capture.reading import Key, has_columns
from invalidation.capture.units import row_lock
from invalidation.capture.writing import Writing, reader_of
from invalidation.declarations import Declaration
from invalidation.plans import Plan


def note_children(writing: Writing, keys: Collection[Key]) -> None:
    """Note that the children of updated rows changed: they inherit the columns.

    Their rows are locked too: one that moves between topics at this moment must be told in both
    places. A parent's row is made before its child's and deleted after it, so inserts and deletes
    have no children to tell of.
    """
    for child in writing.plan.children if keys else ():
        link = _link_column(child, writing.plan)
        if link is None or not _is_there(child, writing):
            writing.note_unknown([child])
            continue
        reader = reader_of(child, child.model, child.columns, writing.connection)
        column = f"{reader.table}.{writing.connection.ops.quote_name(link)}"
        rows = reader.select_having([column], keys, row_lock(writing.connection))
        writing.note(child, rows, rows)


def _link_column(child: Declaration, plan: Plan) -> str | None:
    """Return the child's column that holds the key of its row in the plan's table, if one does."""
    path: Any = child.model._meta.get_path_to_parent(plan.model)
    first, *rest = (step.join_field for step in path)
    # Farther up the same key must go through every table.
    if not all(link.primary_key for link in rest):
        return None
    if not all(link.target_field.primary_key for link in (first, *rest)):
        return None
    return str(first.column)


def _is_there(child: Declaration, writing: Writing) -> bool:
    """Is the child's table as its model has it, where a migration's model writes the parent's?

    In the midst of the migrations the table may not be made yet, or lack a column, and asking for
    it would fail the write.
    """
    registry = writing.compiler.query.model._meta.apps
    if registry is child.model._meta.apps:
        return True
    table = child.model._meta.db_table
    reader = reader_of(child, child.model, child.columns, writing.connection)
    return any(
        has_columns(model, reader.fields, writing.connection)
        for model in registry.get_models()
        if model._meta.db_table == table
    )
