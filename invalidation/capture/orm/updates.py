"""Capture UPDATE: the rows before, read under their locks, and the rows after.

Django's own statement runs, with its condition and its order untouched; capture only adds a
RETURNING clause. The rows are read before it, by the same condition, and returned rows are compared
with them. The condition is never replaced by the keys that were read: a declared key may not be
unique, a key may come back from Python in another spelling, and visiting rows in the order of their
keys can violate a unique constraint that the table's own order does not.

The statement may meet other rows than the read did: rows that another transaction has committed
meanwhile, or any row if the condition is volatile (`order_by("?")`). Returned rows that were not
read are unknown, and the families are reset.

On PostgreSQL the read locks the rows, in the order of their keys, as the UPDATE would lock them a
moment later. If the condition names one key, one statement does both. On SQLite the transaction
first takes the write lock, so no other transaction comes between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet

from invalidation.capture.locks import FOR_UPDATE, NO_KEY_UPDATE
from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.row_reader import Rows, Unreadable
from invalidation.capture.orm.statement import names_one_key, returned
from invalidation.capture.orm.step_back import can_be_captured, can_still_be_captured
from invalidation.capture.orm.write import Write
from invalidation.conf import conf

FetchedRows = list[Sequence[Any]]
"""Rows as the driver fetched them."""

_LOCKED = "livequery_locked_rows"
"""The name of the CTE with the locked rows."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Django's own UPDATE, and its condition, empty if there is none."""

    sql: str
    params: Sequence[Any]
    condition: str
    condition_params: Sequence[Any]


def update(write: Write) -> Any:
    """Run an UPDATE; return the number of rows, or those of the fields that Django asked for."""
    values = write.compiler.query.values
    if not values:
        # Multi-table inheritance: the parents' updates run on compilers of their own.
        return write.run()
    write.note_unknown(write.plan.cascaded_by_update(str(field.column) for field, *_ in values))
    try:
        statement = _build(write)
    except EmptyResultSet:
        return write.run()
    if statement is None or not can_be_captured(write):
        return write.run_and_reset()
    asked = list(write.asked or ()) if write.returns_rows else []
    found = _run(write, statement, asked)
    if found is None:
        return write.run_and_reset()
    _update_parents(write)
    if not write.returns_rows:
        return len(found)
    return returned(write, asked, found) if asked else [()] * len(found)


def _build(write: Write) -> Statement | None:
    """Let Django build the statement once, and find its condition.

    Return None for a statement of another form, such as one with a WITH clause of its own.
    """
    compiler = write.compiler
    compile_node = compiler.compile
    found: list[Any] = []

    def compile_and_watch(node: Any) -> Any:
        made = compile_node(node)
        if node is compiler.query.where:
            found.append(made)
        return made

    compiler.compile = compile_and_watch
    try:
        made = sql, params = compiler.as_sql()
    finally:
        del compiler.compile
    if not write.returns_rows:
        # If Django's own method runs after all, it must run this statement: building it again may
        # read the parents' keys again. A statement that returns rows has no parents, and is built
        # again with the returned columns.
        compiler.as_sql = lambda: made
    head = f"UPDATE {write.reader.table} SET "  # noqa: S608 -- a quoted name
    if not sql.startswith(head):
        return None
    if not found:
        return Statement(sql, params, "", ())
    condition, own = found[-1]
    return Statement(sql, params, condition, own) if sql.endswith(f" WHERE {condition}") else None


def _run(write: Write, statement: Statement, asked: Sequence[Any]) -> FetchedRows | None:
    """Read and write; return None, before anything is written, if the rows cannot be known."""
    if write.connection.vendor == "sqlite":
        if not can_still_be_captured(write):
            return None
        return _read_then_write(write, statement, asked)
    if names_one_key(write):
        return _lock_and_write(write, statement, asked)
    return _read_then_write(write, statement, asked, _lock(write))


def _read_then_write(
    write: Write, statement: Statement, asked: Sequence[Any], lock: str = ""
) -> FetchedRows | None:
    reader = write.reader
    limit: int = conf.MAX_ROWS
    try:
        before = reader.select(statement.condition, statement.condition_params, limit + 1, lock)
    except Unreadable:
        return None
    if len(before) > limit:
        return None
    read = ", ".join([*map(reader.column, asked), reader.list])
    sql = f"{statement.sql} RETURNING {read}"
    written = write.execute(sql, statement.params, len(asked))
    if written.is_whole:
        with write.reset_if_unreadable():
            _note(write, before, write.read_back(written.lines, len(asked)))
    return written.lines


def _lock_and_write(write: Write, statement: Statement, asked: Sequence[Any]) -> FetchedRows:
    """Lock, read and write the one row of a key in one statement.

    The condition stands in both parts. Should the key not be unique after all, the statement still
    writes what Django's own would, and the rows are unknown.
    """
    reader = write.reader
    names = [f"livequery_{number}" for number in range(len(reader.columns))]
    condition = statement.condition
    locked = f"SELECT {reader.list} FROM {reader.table} WHERE {condition}{_lock(write)}"  # noqa: S608 -- quoted names
    head = statement.sql.removesuffix(f" WHERE {condition}")
    read = [*map(reader.column, asked), *(f"{_LOCKED}.{name}" for name in names), reader.list]
    sql = (
        f"WITH {_LOCKED} ({', '.join(names)}) AS MATERIALIZED ({locked})"
        f" {head} FROM {_LOCKED} WHERE {condition} RETURNING {', '.join(read)}"
    )
    params = [*statement.condition_params, *statement.params]
    start, width = len(asked), len(reader.columns)
    lines, _, is_whole = write.execute(sql, params, start)
    if is_whole:
        with write.reset_if_unreadable():
            before, after = reader.rows(lines, start), reader.rows(lines, start + width)
            note_rows(write, before, after)
    return lines


def _lock(write: Write) -> str:
    """Return the lock that the UPDATE takes: on a row whose key changes, a stronger one.

    To take the stronger one later could be a deadlock that Django's own statement does not have.
    """
    return FOR_UPDATE if _sets_identity(write) else NO_KEY_UPDATE


def _note(write: Write, before: Rows, after: Rows) -> None:
    """Note the rows if all that were written had been read."""
    if _sets_identity(write):
        if len(after) == len(before) and _have_left(write, before, after):
            note_rows(write, before, after)
            return
    elif after.keys() <= before.keys():
        note_rows(write, {identity: before[identity] for identity in after}, after)
        return
    write.note_unknown(write.plan.declarations)


def _sets_identity(write: Write) -> bool:
    """Return True if the statement sets what identifies a row: the key, or SQLite's number."""
    reader = write.reader
    fields = {field.column.lower() for field, *_ in write.compiler.query.values}
    if reader.rowid:
        return bool(reader.facts and reader.facts.rowid_column in fields)
    return any(str(field.column).lower() in fields for field in reader.keys)


def _have_left(write: Write, before: Rows, after: Rows) -> bool:
    """Return True if none of the rows read is left under its former key.

    A written row may have taken the key of another. So as many rows were written as were read, and
    each row read was written: the two are the same rows.
    """
    return write.reader.select_these(before).keys() <= after.keys()


def _update_parents(write: Write) -> None:
    """Run the updates of parent tables that belong to the update of a multi-table child.

    Django's method runs them after its own statement, which this module has run in its place.
    """
    if not write.returns_rows:
        for query in write.compiler.query.get_related_updates():
            query.get_compiler(write.compiler.using).execute_sql(write.asked)
