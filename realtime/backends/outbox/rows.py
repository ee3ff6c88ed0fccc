"""The rows of the outbox: written in the writer's transaction, deleted once they are sent.

On PostgreSQL, triggers store the writes of other programs in the table that the database backend
reads. With an outbox backend the relay sends those records as if they were rows of the outbox.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, router, transaction

from realtime.backends import tables
from realtime.backends.outbox.queue import Place
from realtime.backends.outbox.stats import metrics
from realtime.exceptions import PartlySent
from realtime.messages.codec import messages_of, payload_of
from realtime.messages.message import Message
from realtime.models import OutboxRecord, StoredRecord

logger = logging.getLogger("realtime.outbox")

_TABLE = OutboxRecord._meta.db_table
_INSERT = f'INSERT INTO "{_TABLE}" (payload) VALUES (%s)'  # noqa: S608

_unreadable: set[tuple[Place, int]] = set()
MOST_REMEMBERED = 1_000


def place(alias: str) -> Place:
    """Return the database that an alias names now."""
    return alias, str(connections.settings.get(alias, {}).get("NAME"))


Table = type[OutboxRecord] | type[StoredRecord]


def may_be_on(alias: str) -> bool:
    """Return True if `alias` can store messages: it has the table, and outlives this process."""
    return not _ends_with_us(alias) and tables.is_there(alias, OutboxRecord)


def tables_on(alias: str) -> list[Table]:
    """Return the tables on `alias` in which a sweep may find rows."""
    if _ends_with_us(alias):
        return []
    wanted: list[Table] = [OutboxRecord]
    if connections[alias].vendor == "postgresql":
        wanted.append(StoredRecord)
    return [
        table
        for table in wanted
        if router.allow_migrate_model(alias, table) and tables.is_found(alias, table)
    ]


def write(messages: Sequence[Message], alias: str) -> int:
    """Insert one row with all `messages`, in the current transaction if there is one.

    Return its id.
    """
    connection: Any = connections[alias]
    payload = payload_of(messages)
    # Not the ORM: this runs in every writer's commit, and receivers of a project's signals must not
    # run there.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_INSERT + " RETURNING id", [payload])
            return int(cursor.fetchone()[0])
        cursor.execute(_INSERT, [payload])
        return int(connection.ops.last_insert_id(cursor, _TABLE, "id"))


def ids(alias: str, table: Table, after: int, most: int) -> list[int]:
    """Return at most `most` ids of committed rows greater than `after`, in ascending order."""
    rows = table.objects.using(alias).filter(id__gt=after).order_by("id")
    return list(rows.values_list("id", flat=True)[:most])


def count(alias: str) -> int:
    """Return the number of waiting rows."""
    return sum(table.objects.using(alias).count() for table in tables_on(alias))


def send(
    chosen: Iterable[int],
    alias: str,
    send: Callable[[Sequence[Message]], None],
    table: Table = OutboxRecord,
) -> int:
    """Send the rows `chosen` in the given order, then delete them; return the number of rows sent.

    Rows that are not committed, or that another relay is sending, are left out. All rows stay if
    `send` raises; if it raises PartlySent, only unsent messages stay.

    The rows are locked meanwhile where the database can skip locked rows, so that two relays share
    the work. Elsewhere both may send them: a database with one writer at a time must not be locked
    while a backend is slow.
    """
    locks = connections[alias].features.has_select_for_update_skip_locked
    rows = table.objects.using(alias).filter(id__in=(wanted := list(chosen)))
    partly: PartlySent | None = None
    with _transaction(alias, locks):
        locked = rows.select_for_update(skip_locked=True) if locks else rows
        found = dict(locked.values_list("id", "payload"))
        readable = {
            row: messages
            for row in wanted
            if row in found and (messages := _messages(found[row], row, alias)) is not None
        }
        if readable:
            try:
                send([message for messages in readable.values() for message in messages])
            except PartlySent as error:
                partly = error
                left = _left_of(readable, error.unsent)
                for row, messages in left.items():
                    # The sent messages of a row must not be sent again by every sweep.
                    payload = payload_of(messages)
                    table.objects.using(alias).filter(id=row).update(payload=payload)
                readable = {row: readable[row] for row in readable.keys() - left.keys()}
            table.objects.using(alias).filter(id__in=list(readable))._raw_delete(alias)
    metrics.count("sent", len(readable))
    if partly is not None:
        raise partly
    return len(readable)


def _left_of(
    rows: Mapping[int, Sequence[Message]], unsent: Iterable[object]
) -> dict[int, list[Message]]:
    """Return the unsent messages of each row that has some."""
    ids = {id(message) for message in unsent}
    left = {row: [each for each in messages if id(each) in ids] for row, messages in rows.items()}
    return {row: messages for row, messages in left.items() if messages}


def _transaction(alias: str, locks: bool) -> AbstractContextManager[object]:
    return transaction.atomic(using=alias) if locks else nullcontext()


def _messages(payload: str, row: int, alias: str) -> list[Message] | None:
    """Read a row; return None if another version of the code wrote it in another format.

    The row stays, for a relay that can read it.
    """
    try:
        return list(messages_of(payload, None))
    except ValueError:
        known = (place(alias), row)
        if known not in _unreadable and len(_unreadable) < MOST_REMEMBERED:
            _unreadable.add(known)
            logger.exception("cannot read row %s of the outbox on %r; it stays there", row, alias)
        return None


def _ends_with_us(alias: str) -> bool:
    """Return True for a database in memory: its rows would not outlive this process."""
    connection: Any = connections[alias]
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())
