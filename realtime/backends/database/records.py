"""Reading and writing stored records, by the module of each kind of database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any

from django.db import connections

from realtime.backends import tables
from realtime.backends.database import postgres, sqlite
from realtime.backends.database.history import History
from realtime.backends.database.record import BATCH, Found, Record
from realtime.exceptions import CannotReplay
from realtime.messages.codec import payload_of
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.models import StoredRecord, new_token

__all__ = [
    "BATCH",
    "VENDORS",
    "Found",
    "Record",
    "head",
    "head_to_read_from",
    "new_history",
    "prune",
    "read_after",
    "replay",
    "short",
    "version",
    "write",
]

VENDORS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgres}
"""The module for each kind of database."""

MOST_REPLAYED = 20 * BATCH
"""Records that a replay searches at most."""

RECENT_RECORDS = 2_000
"""Records from before its start that a process keeps in memory."""

_INSERT = f'INSERT INTO "{StoredRecord._meta.db_table}" (token, payload) VALUES (%s, %s)'  # noqa: S608


def write(messages: Sequence[Message], alias: str) -> None:
    """Insert one record with all `messages`, in the current transaction if there is one.

    Write nothing if the table does not exist, as during a project's first `migrate`: no client can
    be connected yet.
    """
    payload = payload_of(messages)
    if tables.is_there(alias):
        # Not the ORM: this runs in every writer's commit, and receivers of a project's signals must
        # not run there.
        with connections[alias].cursor() as cursor:
            cursor.execute(_INSERT, [new_token(), payload])


def head(alias: str) -> Cursor:
    """Return the position of now, in this connection's snapshot."""
    return short(_head(alias), alias)


def head_to_read_from(alias: str) -> Cursor:
    """Return the exact position of now, for a reader to start from."""
    found = _head(alias)
    if found == NOWHERE:
        # A reader by ids must start at a record: otherwise it cannot tell whether the record that
        # it reads next is the next one.
        write([], alias)
        found = _head(alias)
    return found


def read_after(cursor: Cursor, alias: str) -> Found | None:
    """Return about BATCH records after `cursor`; None if some that followed it are gone."""
    found: Found | None = _vendor(alias).read_after(cursor, alias)
    return found


def count(alias: str) -> int:
    """Return how many records are stored."""
    return StoredRecord.objects.using(alias).count()


def prune(before: Cursor, alias: str) -> None:
    """Delete records that every reader at `before` has seen, a bounded number a call."""
    _vendor(alias).prune(before, alias)


def replay(topics: Collection[Topic], since: Cursor, alias: str) -> list[Message]:
    """Return the messages of `topics` after `since`; raise CannotReplay if some are gone.

    Raise it too if they are so many that reloading costs less than searching them.
    """
    if since == NOWHERE:
        raise CannotReplay(Reset.NO_REPLAY)
    found: Found | None = _vendor(alias).search(since, topics, MOST_REPLAYED, alias)
    if found is None:
        raise CannotReplay(Reset.HISTORY_EXPIRED)
    if found.more:
        raise CannotReplay(Reset.OVERFLOW)
    messages = (message for record in found.records for message in record.messages)
    return [message for message in messages if message.topic in topics]


def new_history(start: Cursor, alias: str) -> History:
    """Return a history for the records read after `start`; it holds the newest records before it.

    Most clients of a new process come from another process, with cursors before `start`.
    """
    begin, recent = _vendor(alias).recent(RECENT_RECORDS, start, alias)
    history = History(begin, _vendor(alias).unseen)
    history.add(recent, start)
    return history


def short(position: Cursor, alias: str) -> Cursor:
    """Return a cursor for clients: no longer than cursors may be, and never a later position."""
    cursor: Cursor = _vendor(alias).short(position)
    return cursor


def version(alias: str) -> object:
    """Return a value that changes when another connection commits; None if there is none."""
    return _vendor(alias).version(alias)


def _head(alias: str) -> Cursor:
    cursor: Cursor = _vendor(alias).head(alias)
    return cursor


def _vendor(alias: str) -> Any:
    return VENDORS[connections[alias].vendor]
