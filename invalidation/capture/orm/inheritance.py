"""Multi-table inheritance: rows of children change with their parents' columns."""

from __future__ import annotations

from collections.abc import Collection

from invalidation.capture.locks import row_lock
from invalidation.capture.orm.row_reader import Key, Rows, any_of, has_columns
from invalidation.capture.orm.write import Write, reader_of
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import link_to
from invalidation.transactions.journal import journal_of


def touch_parents(write: Write) -> None:
    """Write the parents' rows unchanged, before a `raw` save inserts a child's row without them.

    loaddata makes `raw` saves. Another transaction that changes the parent's row at the same time
    could otherwise commit after the child's insert without seeing the child. A lock of the parent's
    row is not enough: a transaction that reads an older snapshot must fail, and only a write makes
    it fail.
    """
    query, connection = write.compiler.query, write.connection
    if not query.raw or connection.vendor == "sqlite":
        return
    quote = connection.ops.quote_name
    for parent in write.plan.model._meta.all_parents:
        link = link_to(parent, child=write.plan.model)
        if link is not None:
            table, pk = quote(parent._meta.db_table), quote(str(parent._meta.pk.column))
            keys = [
                (link.get_db_prep_save(link.value_from_object(o), connection),) for o in query.objs
            ]
            condition, params = any_of([pk], keys)
            write.execute(f"UPDATE {table} SET {pk} = {pk} WHERE {condition}", params)  # noqa: S608


def note_rows(write: Write, before: Rows, after: Rows) -> None:
    """Note the changes of the written table's rows, and of their multi-table children."""
    write.note(write.plan.declaration, before, after)
    if write.plan.children:
        note_children(write, _with_children(write, before, after))


def _with_children(write: Write, before: Rows, after: Rows) -> list[Key]:
    """Return the keys of the rows whose children may change without a write of their own.

    Usually a parent's row is inserted before its child's and deleted after it. But foreign keys are
    checked at the commit: within a transaction a parent's row may be deleted, or get another key,
    while its child's row stays, and another row may take its place.
    """
    vacant = journal_of(write.connection).vacant
    table = write.plan.model
    vacant.update((table, key) for key in before if key not in after)
    return [key for key in after if key in before or (table, key) in vacant]


def note_children(write: Write, keys: Collection[Key]) -> None:
    """Note changes of the children of these rows, whose columns they inherit.

    The children's rows are locked too: one that moves between topics at this moment must be
    published to both.
    """
    for child in write.plan.children if keys else ():
        link = link_to(write.plan.model, child=child.model)
        if link is None or not _is_there(child, write):
            write.note_unknown([child])
            continue
        reader = reader_of(child, child.model, child.columns, write.connection)
        rows = reader.select_having([reader.column(link)], keys, row_lock(write.connection))
        write.note(child, rows, rows)


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
