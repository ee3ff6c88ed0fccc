"""Capture UPDATE: the rows before, read under their locks, and the rows after.

The rows are locked and read, and the statement is limited to their keys. The original condition
could match other rows when it is evaluated again: rows that another transaction has written
meanwhile, or any row if the condition is volatile (`Now()`, `order_by("?")`, a function of the
project).

PostgreSQL does all of this in one statement. On SQLite, where only one transaction writes at a
time, it takes a SELECT and the UPDATE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet

from invalidation.capture.locks import NO_KEY_UPDATE, take_write_lock
from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.row_reader import Unreadable, any_of
from invalidation.capture.orm.statement import can_be_read, exceeds, is_bounded, returned
from invalidation.capture.orm.write import Write
from invalidation.conf import conf

FetchedRows = list[Sequence[Any]]
"""Rows as the driver fetched them."""

_LOCKED = "livequery_locked_rows"
"""The name of the CTE with the locked rows. A table must not have this name."""


@dataclass(frozen=True, slots=True)
class SplitUpdate:
    """An UPDATE in two parts: `UPDATE t SET …`, and the condition, empty if there is none."""

    head: str
    head_params: Sequence[Any]
    condition: str
    params: Sequence[Any]


def update(write: Write) -> Any:
    """Run an UPDATE; return the number of rows, or those of the fields that Django asked for."""
    query = write.compiler.query
    if not query.values:
        # Multi-table inheritance: the parents' updates run on compilers of their own.
        return write.run()
    write.note_unknown(write.plan.cascaded_by_update(str(f.column) for f, *_ in query.values))
    try:
        statement = _split(write)
    except EmptyResultSet:
        return write.run()
    if statement is None or not can_be_read(write):
        return write.run_and_reset()
    asked = list(write.asked or ()) if write.returns_rows else []
    if write.connection.vendor == "sqlite":
        found = _select_then_update(write, statement, asked)
    else:
        found = _update_in_one_statement(write, statement, asked)
    if found is None:
        return write.run_and_reset()
    _update_parents(write)
    if not write.returns_rows:
        return len(found)
    return returned(write, asked, found) if asked else [()] * len(found)


def _split(write: Write) -> SplitUpdate | None:
    """Let Django build the statement once, and find its condition; None if that fails."""
    compiler = write.compiler
    compile_node = compiler.compile
    found: list[Any] = []

    def compile_and_watch(node: Any) -> Any:
        made = compile_node(node)
        if node is compiler.query.where:
            found.append(made)
        return made

    compiler.compile = compile_and_watch
    made = sql, params = compiler.as_sql()
    del compiler.compile
    if not write.returns_rows:
        # If Django's own method runs after all, it must run this statement: building it again may
        # read the parents' keys again. A statement that returns rows has no parents, and is built
        # again with the returned columns.
        compiler.as_sql = lambda: made
    if not found:
        return SplitUpdate(sql, params, "", ())
    condition, own = found[-1]
    head = sql.removesuffix(f" WHERE {condition}")
    if head == sql:
        return None
    return SplitUpdate(head, params[: len(params) - len(own)], condition, own)


def _select_then_update(
    write: Write, statement: SplitUpdate, asked: Sequence[Any]
) -> FetchedRows | None:
    """Lock, read, and write with RETURNING; return None if there are too many rows.

    The rows are read again afterwards where triggers may have changed them.
    """
    reader = write.reader
    take_write_lock(write.connection, write.plan.model)
    limit: int = conf.MAX_ROWS
    try:
        before = reader.select(statement.condition, statement.params, limit + 1)
    except Unreadable:
        return None
    if len(before) > limit:
        return None
    if not before:
        return []
    pinned, keys = any_of(reader.key_columns, list(before))
    read = [*map(reader.column, asked), reader.list]
    sql = f"{statement.head} WHERE {pinned} RETURNING {', '.join(read)}"
    lines, count = write.execute(sql, [*statement.head_params, *keys], needed=bool(asked))
    if lines is None:
        return [()] * count
    with write.reset_if_unreadable():
        after = write.read_back(lines, len(asked))
        note_rows(write, before, after)
    return lines


def _update_in_one_statement(
    write: Write, statement: SplitUpdate, asked: Sequence[Any]
) -> FetchedRows | None:
    """Lock, read and write in one statement; return None if there are too many rows.

    The rows are locked in the order of their keys: two writers with opposite orders would deadlock.
    The CTE is materialized, so that the condition is evaluated once.
    """
    reader = write.reader
    if not is_bounded(write) and exceeds(write, statement.condition, statement.params):
        return None
    names = [f"lq{number}" for number in range(len(reader.columns))]
    where = f" WHERE {statement.condition}" if statement.condition else ""
    by = ", ".join(reader.key_columns)
    locked = f"SELECT {reader.list} FROM {reader.table}{where} ORDER BY {by}{NO_KEY_UPDATE}"  # noqa: S608 -- quoted names
    same = zip(reader.key_columns, names, strict=False)
    pinned = " AND ".join(f"{column} = {_LOCKED}.{name}" for column, name in same)
    read = [*map(reader.column, asked), *(f"{_LOCKED}.{name}" for name in names), reader.list]
    sql = (
        f"WITH {_LOCKED} ({', '.join(names)}) AS MATERIALIZED ({locked})"
        f" {statement.head} FROM {_LOCKED} WHERE {pinned} RETURNING {', '.join(read)}"
    )
    params = [*statement.params, *statement.head_params]
    lines, count = write.execute(sql, params, needed=bool(asked))
    if lines is None:
        return [()] * count
    start, width = len(asked), len(reader.columns)
    with write.reset_if_unreadable():
        before, after = reader.rows(lines, start), reader.rows(lines, start + width)
        note_rows(write, before, after)
    return lines


def _update_parents(write: Write) -> None:
    """Run the updates of parent tables that belong to the update of a multi-table child.

    Django's method runs them after its own statement, which this module has replaced.
    """
    if not write.returns_rows:
        for query in write.compiler.query.get_related_updates():
            query.get_compiler(write.compiler.using).execute_sql(write.asked)
