"""Read the rows of multi-table children whose parents' columns a transaction has written.

They are read once for each child's table, right before the transaction's messages are stored. A
child's row that the transaction wrote itself is known already and is not read.

On PostgreSQL the rows are locked: one that another transaction moves between topics at this moment
must be published to both. The lock waits for no transaction, and nothing but the COMMIT comes after
it, so it makes no deadlock. If another transaction is writing one of the rows, the child's families
are reset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.capture.catalogue import facts_of
from invalidation.capture.locks import IF_FREE
from invalidation.capture.orm.row_reader import CHUNK, RowReader, Unreadable, any_of, fetch
from invalidation.capture.orm.step_back import can_be_read
from invalidation.capture.orm.write import by_text, reader_of
from invalidation.capture.sql_marker import with_marker
from invalidation.changes import Change, JournalEntry, ParentRow, UnknownRows, merge
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.registry import declaration_of
from invalidation.tracking.write_plans import link_to
from invalidation.transactions.driver_state import has_failed
from realtime.messages.message import Reset

Model = Any
Written = frozenset[str] | None


def with_children(
    connection: BaseDatabaseWrapper, entries: Sequence[JournalEntry], *, at_the_end: bool
) -> Sequence[JournalEntry]:
    """Return the entries with the children's changes in place of their parents' rows.

    If the transaction does not end here, no child is locked, and on PostgreSQL the children's
    families are reset if there are any.
    """
    parents = [entry for entry in entries if isinstance(entry, ParentRow)]
    if not parents:
        return entries
    found: list[JournalEntry] = [e for e in entries if not isinstance(e, ParentRow)]
    reset = {e.model for e in found if isinstance(e, UnknownRows) and e.topics is None}
    changed = {(c.model, c.pk): c for c in merge(e for e in found if isinstance(e, Change))}
    for model in dict.fromkeys(child for parent in parents for child in parent.children):
        child = declaration_of(model)
        if child is None or model in reset:
            continue
        theirs = [parent for parent in parents if model in parent.children]
        known, unread = _split(child, theirs, changed)
        found += known
        if unread:
            found += _read(connection, child, unread, at_the_end)
    return found


def _unknown(child: Declaration) -> UnknownRows:
    return UnknownRows(child.model, Reset.BULK)


def _split(
    child: Declaration, parents: Iterable[ParentRow], changed: dict[tuple[Model, str], Change]
) -> tuple[list[Change], list[ParentRow]]:
    """Return the changes of the child's rows that are known, and the parents of the others."""
    known, unread = [], []
    for parent in parents:
        own = changed.get((child.model, parent.pk))
        if own is None or own.is_read or not link_to(parent.model, child=child.model).primary_key:
            unread.append(parent)
        elif own.after is not None:
            known.append(Change(child.model, own.pk, own.after, own.after, parent.written))
    return known, unread


def _read(
    connection: BaseDatabaseWrapper,
    child: Declaration,
    parents: Sequence[ParentRow],
    may_lock: bool,
) -> list[JournalEntry]:
    reader = reader_of(child, child.model, child.columns, connection)
    if has_failed(connection) or not can_be_read(connection, reader):
        return [_unknown(child)]
    changes: list[JournalEntry] = []
    try:
        for model in dict.fromkeys(parent.model for parent in parents):
            written: dict[tuple[Any, ...], Written] = {}
            for parent in parents:
                if parent.model is model:
                    before = written.get(parent.identity, frozenset())
                    written[parent.identity] = _both(before, parent.written)
            if connection.vendor == "sqlite":
                lines = _read_on_sqlite(connection, reader, model, written)
            else:
                lines = _read_locked(connection, reader, model, written, may_lock)
            changes += _changes(child, reader, written, lines)
    except Unreadable:
        return [_unknown(child)]
    return changes


def _both(one: Written, other: Written) -> Written:
    return None if one is None or other is None else one | other


def _changes(
    child: Declaration,
    reader: RowReader,
    written: dict[tuple[Any, ...], Written],
    lines: Sequence[Sequence[Any]],
) -> Iterator[Change]:
    """Give the changes of the children's rows; the last column of a line identifies the parent."""
    for line in lines:
        for pk, row in by_text(reader.rows([line])).items():
            columns = written.get((line[-1],))
            yield Change(child.model, pk, row.image, row.image, columns)


def _chunks(identities: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    remaining = iter(identities)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _read_on_sqlite(
    connection: BaseDatabaseWrapper, reader: RowReader, parent: Model, identities: Iterable[Any]
) -> list[Sequence[Any]]:
    """Find the children in the database by the numbers of the parents' rows."""
    link, quote = link_to(parent, child=reader.model), connection.ops.quote_name
    table = quote(parent._meta.db_table)
    rowid = f"{table}.{facts_of(connection, parent._meta.db_table).rowid}"
    key = f"{table}.{quote(parent._meta.pk.column)}"
    joined = f"{reader.table} JOIN {table} ON {reader.column(link)} = {key}"
    lines: list[Sequence[Any]] = []
    for chunk in _chunks(identities):
        condition, params = any_of([rowid], chunk)
        sql = f"SELECT {reader.list}, {rowid} FROM {joined} WHERE {condition}"  # noqa: S608
        lines += _fetch(connection, sql, params)
    return lines


def _read_locked(
    connection: BaseDatabaseWrapper,
    reader: RowReader,
    parent: Model,
    identities: Iterable[Any],
    may_lock: bool,
) -> list[Sequence[Any]]:
    """Lock and read the children; raise Unreadable if one cannot be locked.

    That there are none is certain without a lock: an insert of a child also writes its parent.
    """
    may_lock = may_lock and bool(reader.facts and reader.facts.lockable)
    link = reader.column(link_to(parent, child=reader.model))
    lines: list[Sequence[Any]] = []
    for chunk in _chunks(identities):
        condition, params = any_of([link], chunk)
        also = _IF_COMMITTED + IF_FREE if may_lock else _NONE
        found = _fetch(connection, _locking(reader, link, condition, also), params * 2)
        if found[0][0] and not found[0][1] and may_lock:
            sql = _locking(reader, link, condition, IF_FREE)
            found = _in_a_snapshot(connection, sql, params * 2)
        many = found[0][0]
        if many:
            lines += [line[2:] for line in found]
        if many and (len(found) < many or any(line[-1] is None for line in found)):
            raise Unreadable
    return lines


_NONE = " AND FALSE"
_IF_COMMITTED = " AND current_setting('transaction_isolation') = 'read committed'"


def _locking(reader: RowReader, link: str, condition: str, also: str) -> str:
    """Return the SQL of a SELECT of the children; each line begins with their number.

    The second column says whether the transaction reads what others have committed.
    """
    rows = f"SELECT {reader.list}, {link} FROM {reader.table} WHERE {condition}{also}"  # noqa: S608
    names = ", ".join(f"livequery_{number}" for number in range(len(reader.columns) + 1))
    many = f"SELECT count(*) FROM {reader.table} WHERE {condition}"  # noqa: S608
    locked = f"WITH livequery_locked_rows ({names}) AS MATERIALIZED ({rows})"
    committed = "current_setting('transaction_isolation') = 'read committed'"
    said = f"({many}), {committed}, livequery_locked_rows.*"
    # One line at least, for the number.
    lines = "(VALUES (1)) AS livequery_one LEFT JOIN livequery_locked_rows ON TRUE"
    return f"{locked} SELECT {said} FROM {lines}"  # noqa: S608


def _in_a_snapshot(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any]
) -> list[Sequence[Any]]:
    """Read where the isolation is higher: PostgreSQL refuses to lock a row that has changed since.

    The transaction goes on without the rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(with_marker("SAVEPOINT livequery_children"))
        try:
            found = _fetch(connection, sql, params)
        except OperationalError as error:
            cursor.execute(with_marker("ROLLBACK TO SAVEPOINT livequery_children"))
            raise Unreadable from error
        finally:
            cursor.execute(with_marker("RELEASE SAVEPOINT livequery_children"))
    return found


def _fetch(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any]) -> list[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(with_marker(sql), params)
        return fetch(cursor)
