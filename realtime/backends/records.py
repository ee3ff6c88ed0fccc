"""Reading and writing stored records, each kind of database in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from django.db import connections

from realtime.backends import record_table, records_by_id, records_by_snapshot
from realtime.backends.stored import BATCH, Found, Record, payload_of
from realtime.cursors import NOWHERE, Cursor
from realtime.messages import Message, Reset
from realtime.models import StoredRecord, new_token
from realtime.topics import Topic

__all__ = [
    "BATCH",
    "VENDORS",
    "Found",
    "Record",
    "head",
    "head_to_read_from",
    "missed",
    "prune",
    "read_after",
    "short",
    "version",
    "write",
]

VENDORS: dict[str, ModuleType] = {"sqlite": records_by_id, "postgresql": records_by_snapshot}
"""How each kind of database is read."""

_INSERT = f'INSERT INTO "{StoredRecord._meta.db_table}" (token, payload) VALUES (%s, %s)'  # noqa: S608


def write(messages: Sequence[Message], alias: str) -> None:
    """Insert one record with all `messages`, in the current transaction if there is one.

    Where the table has not been made yet, as in the midst of a project's first `migrate`, nobody
    can have listened, and nothing is written.
    """
    payload = payload_of(messages)
    if record_table.is_there(alias):
        # Not the ORM: this is in every writer's commit, where receivers of a project's signals
        # have no business either.
        with connections[alias].cursor() as cursor:
            cursor.execute(_INSERT, [new_token(), payload])


def head(alias: str) -> Cursor:
    """Return the position of now, as this connection's snapshot sees it."""
    return short(_head(alias), alias)


def head_to_read_from(alias: str) -> Cursor:
    """Return the position of now, exactly, for a reader to start from."""
    found = _head(alias)
    if found == NOWHERE:
        # A reader by ids must stand on a record: nothing else tells it whether what it reads next
        # is next.
        write([], alias)
        found = _head(alias)
    return found


def read_after(cursor: Cursor, alias: str) -> Found | None:
    """Return some BATCH records after `cursor`; None if not all that followed it are there."""
    found: Found | None = _how(alias).read_after(cursor, alias)
    return found


def prune(before: Cursor, alias: str) -> None:
    """Delete records that everybody has seen who stands at `before`, a bounded number a call."""
    _how(alias).prune(before, alias)


def missed(topics: Sequence[Topic], since: Cursor, alias: str) -> str | None:
    """Say why something of `topics` may have been stored after `since`, or None if nothing was."""
    if since == NOWHERE:
        return Reset.NO_REPLAY
    found = read_after(since, alias)
    if found is None:
        return Reset.HISTORY_EXPIRED
    if found.more:
        return Reset.NO_REPLAY
    told = {message.topic for record in found.records for message in record.messages}
    return None if told.isdisjoint(topics) else Reset.NO_REPLAY


def short(position: Cursor, alias: str) -> Cursor:
    """Return a cursor to be given out: no longer than cursors may be, and never a later one."""
    cursor: Cursor = _how(alias).short(position)
    return cursor


def version(alias: str) -> object:
    """Return what changes whenever another connection commits; None where nothing tells."""
    return _how(alias).version(alias)


def _head(alias: str) -> Cursor:
    cursor: Cursor = _how(alias).head(alias)
    return cursor


def _how(alias: str) -> Any:
    return VENDORS[connections[alias].vendor]
