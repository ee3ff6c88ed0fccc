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

Lines = list[Sequence[Any]]
"""Rows as the driver fetched them."""

_LOCKED = "livequery_locked_rows"
"""The name of the CTE with the locked rows. A table must not have this name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An UPDATE in two parts: `UPDATE t SET …`, and the condition, empty if there is none."""

    head: str
    head_params: Sequence[Any]
    condition: str
    params: Sequence[Any]


def update(writing: Write) -> Any:
    """Run an UPDATE; return the number of rows, or those of the fields that Django asked for."""
    query = writing.compiler.query
    if not query.values:
        # Multi-table inheritance: the parents' updates run on compilers of their own.
        return writing.run()
    try:
        statement = _read(writing)
    except EmptyResultSet:
        return writing.run()
    if statement is None or not can_be_read(writing):
        return writing.run_blindly()
    asked = list(writing.asked or ()) if writing.returns_rows else []
    if writing.connection.vendor == "sqlite":
        found = _in_turn(writing, statement, asked)
    else:
        found = _at_once(writing, statement, asked)
    if found is None:
        return writing.run_blindly()
    _update_parents(writing)
    if not writing.returns_rows:
        return len(found)
    return returned(writing, asked, found) if asked else [()] * len(found)


def _read(writing: Write) -> Statement | None:
    """Let Django build the statement once, and find its condition; None if that fails."""
    compiler = writing.compiler
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
    if not writing.returns_rows:
        # If Django's own method runs after all, it must run this statement: building it again may
        # read the parents' keys again. A statement that returns rows has no parents, and is built
        # again with the returned columns.
        compiler.as_sql = lambda: made
    if not found:
        return Statement(sql, params, "", ())
    condition, own = found[-1]
    head = sql.removesuffix(f" WHERE {condition}")
    if head == sql:
        return None
    return Statement(head, params[: len(params) - len(own)], condition, own)


def _in_turn(writing: Write, statement: Statement, asked: Sequence[Any]) -> Lines | None:
    """Lock, read, and write with RETURNING; return None if there are too many rows.

    The rows are read again afterwards where triggers may have changed them.
    """
    reader = writing.reader
    take_write_lock(writing.connection, writing.plan.model)
    most: int = conf.MAX_ROWS
    try:
        before = reader.select(statement.condition, statement.params, most + 1)
    except Unreadable:
        return None
    if len(before) > most:
        return None
    if not before:
        return []
    pinned, keys = any_of(reader.key_columns, list(before))
    read = [*map(reader.column, asked), reader.list]
    sql = f"{statement.head} WHERE {pinned} RETURNING {', '.join(read)}"
    lines, count = writing.execute(sql, [*statement.head_params, *keys], needed=bool(asked))
    if lines is None:
        return [()] * count
    with writing.reading():
        after = writing.read_back(lines, len(asked))
        note_rows(writing, before, after)
    return lines


def _at_once(writing: Write, statement: Statement, asked: Sequence[Any]) -> Lines | None:
    """Lock, read and write in one statement; return None if there are too many rows.

    The rows are locked in the order of their keys: two writers with opposite orders would deadlock.
    The CTE is materialized, so that the condition is evaluated once.
    """
    reader = writing.reader
    if not is_bounded(writing) and exceeds(writing, statement.condition, statement.params):
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
    lines, count = writing.execute(sql, params, needed=bool(asked))
    if lines is None:
        return [()] * count
    start, width = len(asked), len(reader.columns)
    with writing.reading():
        before, after = reader.rows(lines, start), reader.rows(lines, start + width)
        note_rows(writing, before, after)
    return lines


def _update_parents(writing: Write) -> None:
    """Run the updates of parent tables that belong to the update of a multi-table child.

    Django's method runs them after its own statement, which this module has replaced.
    """
    if not writing.returns_rows:
        for query in writing.compiler.query.get_related_updates():
            query.get_compiler(writing.compiler.using).execute_sql(writing.asked)
