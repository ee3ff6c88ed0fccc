"""Capture an upsert on PostgreSQL: Django's own statement returns each row as it was, too.

No row is locked in advance. Two upserts of the same rows lock them in the order in which they are
given; a lock in another order would be a deadlock that Django's own statements do not have.

A subquery in RETURNING reads the table as it was when the statement began. If the version that it
finds was replaced by the very (sub)transaction that made the new version, it is the version that
this statement replaced: the `xmax` of the one is the `xmin` of the other. It is another number if
another transaction replaced that version first, or holds a lock on it, such as the one by which an
insert of a child keeps its parent. The row is unknown then, unless this transaction has written it
before; and so is a row that was updated but is not found, since another transaction inserted it
meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.inserts import are_plain, run, statements
from invalidation.capture.orm.row_reader import RowReader, Unreadable
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.write import Write, by_text
from invalidation.changes import Change, JournalEntry, ParentRow
from invalidation.transactions.journal import journal_of

_OLD = "livequery_old"
"""The alias of the table as it was when the statement began."""


def upsert_on_postgresql(write: Write) -> Any:
    """Run an upsert; return the rows of the fields that Django asked for."""
    reader, asked = write.reader, list(write.asked or ())
    if not (reader.facts and reader.facts.shows_versions):
        return write.run_and_reset()
    made = statements(write)
    if not are_plain(made):
        return write.run_built(made)
    rows, is_whole = run(write, made, [*reader.columns, *_versions(reader), *_old_columns(reader)])
    if is_whole:
        with write.reset_if_unreadable():
            _note(write, rows, len(asked))
    return returned(write, asked, rows)


def _versions(reader: RowReader) -> list[str]:
    """Return SQL: whether the row was inserted, and whether the version found was replaced."""
    old = _of_old(reader, f"{_OLD}.xmax")
    return [f"{reader.table}.xmax = 0", f"{old} = {reader.table}.xmin"]


def _old_columns(reader: RowReader) -> list[str]:
    prefix = len(reader.table)
    return [_of_old(reader, f"{_OLD}{column[prefix:]}") for column in reader.columns]


def _of_old(reader: RowReader, column: str) -> str:
    prefix = len(reader.table)
    same = " AND ".join(f"{_OLD}{key[prefix:]} = {key}" for key in reader.key_columns)
    return f"(SELECT {column} FROM {reader.table} AS {_OLD} WHERE {same})"  # noqa: S608 -- quoted names


def _note(write: Write, rows: Sequence[Sequence[Any]], start: int) -> None:
    reader = write.reader
    middle = start + len(reader.columns)
    updated = [row for row in rows if not row[middle]]
    before = reader.rows(updated, middle + 2)
    unproven = [row for row in updated if not row[middle + 1]]
    if unproven and not by_text(reader.rows(unproven, start)).keys() <= _own(write):
        raise Unreadable
    note_rows(write, before, reader.rows(rows, start))


def _own(write: Write) -> set[str]:
    """Return the keys, as text, of rows that the transaction has written before.

    It holds their locks, so no other transaction can have replaced them.
    """
    model = write.plan.model
    entries = journal_of(write.connection).entries()
    written = (e for e in entries if isinstance(e, ParentRow) or _is_written(e))
    return {entry.pk for entry in written if entry.model is model}


def _is_written(entry: JournalEntry) -> TypeGuard[Change]:
    return isinstance(entry, Change) and not entry.is_read
