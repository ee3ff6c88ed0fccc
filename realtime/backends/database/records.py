"""Reading and writing stored records, each kind of database in its own way."""

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
"""How each kind of database is read."""

MOST_REPLAYED = 20 * BATCH
"""Records that are gone through for one who comes back."""

RECENT_RECORDS = 2_000
"""Records from before its start that a process remembers."""

_INSERT = f'INSERT INTO "{StoredRecord._meta.db_table}" (token, payload) VALUES (%s, %s)'  # noqa: S608


def write(messages: Sequence[Message], alias: str) -> None:
    """Insert one record with all `messages`, in the current transaction if there is one.

    Where the table has not been made yet, as in the midst of a project's first `migrate`, nobody
    can have listened, and nothing is written.
    """
    payload = payload_of(messages)
    if tables.is_there(alias):
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
    found: Found | None = _vendor(alias).read_after(cursor, alias)
    return found


def count(alias: str) -> int:
    """Return how many records are stored."""
    return StoredRecord.objects.using(alias).count()


def prune(before: Cursor, alias: str) -> None:
    """Delete records that everybody has seen who stands at `before`, a bounded number a call."""
    _vendor(alias).prune(before, alias)


def replay(topics: Collection[Topic], since: Cursor, alias: str) -> list[Message]:
    """Return what was stored for `topics` after `since`; raise CannotReplay if not all is there.

    Or if it is so much that reloading costs less than going through it.
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
    """Return what remembers the records that are read behind `start`, and the last before it.

    Those too, since whoever comes to a server that was just started has mostly come from another.
    """
    begin, recent = _vendor(alias).recent(RECENT_RECORDS, start, alias)
    history = History(begin, _vendor(alias).unseen)
    history.add(recent, start)
    return history


def short(position: Cursor, alias: str) -> Cursor:
    """Return a cursor to be given out: no longer than cursors may be, and never a later one."""
    cursor: Cursor = _vendor(alias).short(position)
    return cursor


def version(alias: str) -> object:
    """Return what changes whenever another connection commits; None where nothing tells."""
    return _vendor(alias).version(alias)


def _head(alias: str) -> Cursor:
    cursor: Cursor = _vendor(alias).head(alias)
    return cursor


def _vendor(alias: str) -> Any:
    return VENDORS[connections[alias].vendor]
