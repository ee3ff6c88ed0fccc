"""Records on a database with one writer at a time: SQLite.

Ids are in commit order, so a position is a record: a reader that has seen it has seen all records
before it. See decision 2.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connections

from realtime.backends.database.history import IsUnseen
from realtime.backends.database.record import BATCH, Found, Record, needle, record_of
from realtime.backends.database.snapshot import whole_number
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic
from realtime.models import StoredRecord

_TABLE = f'"{StoredRecord._meta.db_table}"'
_SEARCH = f"""
    SELECT token, id, payload, (SELECT max(id) FROM {_TABLE}) FROM {_TABLE}
    WHERE id >= %s AND id <= %s AND (id = %s OR {{hits}}) ORDER BY id
"""  # noqa: S608


def head(alias: str) -> Cursor:
    """Return the position of the newest record; NOWHERE for an empty table."""
    newest = StoredRecord.objects.using(alias).order_by("-id").values_list("token", "id").first()
    return Cursor(newest[0], str(newest[1])) if newest else NOWHERE


def read_after(cursor: Cursor, alias: str) -> Found | None:
    """Return up to BATCH records after `cursor`; None if the record that it names is gone."""
    start = whole_number(cursor.offset)
    if start is None:
        return None
    rows = StoredRecord.objects.using(alias).filter(id__gte=start).order_by("id")
    found = list(rows.values_list("token", "id", "payload")[: BATCH + 1])
    if not found or found[0][:2] != (cursor.epoch, start):
        return None
    records = [_record(*row) for row in found[1:]]
    return Found(records, records[-1].cursor if records else cursor, len(records) >= BATCH)


def search(cursor: Cursor, topics: Collection[Topic], most: int, alias: str) -> Found | None:
    """Return the records of `topics` after `cursor`, among its first `most` records.

    Return None if the record that the cursor names is gone. The database searches the texts:
    reading them all would take a hundred times as long.
    """
    start = whole_number(cursor.offset)
    if start is None:
        return None
    hits = " OR ".join(["instr(payload, %s) > 0"] * len(topics)) or "0"
    sql = _SEARCH.format(hits=hits)
    with connections[alias].cursor() as asked:
        asked.execute(sql, [start, start + most, start, *map(needle, topics)])
        found = asked.fetchall()
    # The first row is the record that the cursor names, whatever its topics.
    if not found or found[0][:2] != (cursor.epoch, start):
        return None
    newest = found[0][3]
    records = [_record(*row[:3]) for row in found[1:]]
    return Found(records, cursor, newest > start + most)


def recent(most: int, position: Cursor, alias: str) -> tuple[Cursor, list[Record]]:
    """Return up to `most` records up to `position`, and the position where they begin."""
    rows = StoredRecord.objects.using(alias).filter(id__lte=int(position.offset)).order_by("-id")
    newest = list(rows.values_list("token", "id", "payload")[: most + 1])
    found = [_record(*row) for row in newest[::-1]]
    return (found[0].cursor, found[1:]) if found else (position, [])


def prune(before: Cursor, alias: str) -> None:
    """Delete the records before `before`, which stays."""
    end = whole_number(before.offset)
    oldest = StoredRecord.objects.using(alias).order_by("id").values_list("id", flat=True).first()
    if end is not None and oldest is not None:
        rows = StoredRecord.objects.using(alias).filter(id__lt=min(end, oldest + 10 * BATCH))
        rows._raw_delete(alias)


def unseen(
    since: Cursor, start: Cursor, position: Cursor, known: Collection[Cursor]
) -> IsUnseen | None:
    """Return the test for records behind `since`, if it names a record that was read."""
    if since not in known:
        return None
    last = int(since.offset)
    return lambda place: place > last


def _record(token: str, pk: int, payload: str) -> Record:
    return record_of(payload, Cursor(token, str(pk)), pk)


def short(position: Cursor) -> Cursor:
    """Return the position itself: it names one record."""
    return position


def version(alias: str) -> object:
    """Return a number that changes when another connection has committed."""
    connection = connections[alias]
    connection.ensure_connection()
    # The driver's own connection: this runs twenty times a second. Django's cursor would log each
    # call and cost ten times as much.
    with connection.wrap_database_errors:
        (found,) = connection.connection.execute("PRAGMA data_version").fetchone()
    return found
