"""Multi-table inheritance: rows of children change with their parents' columns."""

from __future__ import annotations

from invalidation.capture.orm.row_reader import Rows, has_columns
from invalidation.capture.orm.write import Write, by_text, reader_of
from invalidation.changes import ParentRow
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import link_to
from invalidation.transactions.journal import journal_of


def note_rows(write: Write, before: Rows, after: Rows) -> None:
    """Note the changes of the written table's rows, and of their multi-table children."""
    write.note(write.plan.declaration, before, after)
    if write.plan.children:
        note_children(write, _with_children(write, before, after))


def _with_children(write: Write, before: Rows, after: Rows) -> Rows:
    """Return the rows whose children may change without a write of their own.

    Usually a parent's row is inserted before its child's and deleted after it. But foreign keys are
    checked at the commit: within a transaction a parent's row may be deleted, or get another key,
    while its child's row stays, and another row may take its place.
    """
    vacant = journal_of(write.connection).vacant
    table, old, new = write.plan.model, by_text(before), by_text(after)
    vacant.update((table, key) for key in old if key not in new)
    texts = zip(new, after, strict=True)
    return {at: after[at] for key, at in texts if key in old or (table, key) in vacant}


def note_children(write: Write, rows: Rows) -> None:
    """Note that the children of these rows have changed; they are read at the commit."""
    if not rows:
        return
    known = [child for child in write.plan.children if _can_be_found(child, write)]
    write.note_unknown(child for child in write.plan.children if child not in known)
    if known:
        children = tuple(child.model for child in known)
        journal_of(write.connection).add(
            ParentRow(write.plan.model, key, at, children, write.written)
            for key, at in zip(by_text(rows), rows, strict=True)
        )


def _can_be_found(child: Declaration, write: Write) -> bool:
    """Return True if the child's row can be found by its parent's."""
    if write.connection.vendor == "sqlite" and not write.reader.rowid:
        # A key that has passed through Python may not find the row again.
        return False
    return link_to(write.plan.model, child=child.model) is not None and _is_there(child, write)


def _is_there(child: Declaration, write: Write) -> bool:
    """Return True if the child's table has its model's columns when a migration writes the parent.

    Between migrations the table may not exist yet, or lack a column, and reading it would make the
    write fail.
    """
    registry = write.compiler.query.model._meta.apps
    if registry is child.model._meta.apps:
        return True
    table = child.model._meta.db_table
    reader = reader_of(child, child.model, child.columns, write.connection)
    return any(
        has_columns(model, reader.fields, write.connection)
        for model in registry.get_models()
        if model._meta.db_table == table
    )
