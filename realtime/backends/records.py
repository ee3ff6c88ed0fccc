"""Reading and writing stored records: the only SQL of the database backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime.cursors import NOWHERE, Cursor
from realtime.messages import Message, Reset, Verb
from realtime.models import StoredRecord
from realtime.topics import Topic

BATCH = 500
"""Records read at once, so that a long backlog costs bounded memory."""

DIGITS = 18
"""The longest number that surely fits an id's column; a longer one is nobody's cursor."""


class _Stored(msgspec.Struct, omit_defaults=True):
    """A message as it stands in a record."""

    topic: str
    changes: dict[str, dict[str, Verb]] = {}
    reset: str | None = None
    extra: Any = None


def _stored(message: Message) -> _Stored:
    changes = {label: dict(rows) for label, rows in message.changes.items()}
    return _Stored(str(message.topic), changes, message.reset, message.extra)


_decode = msgspec.json.Decoder(list[_Stored]).decode


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record as read: its position and its messages, each with that position."""

    cursor: Cursor
    messages: tuple[Message, ...]


def write(messages: Sequence[Message], alias: str) -> None:
    """Insert one record with all `messages`, in the current transaction if there is one."""
    stored = [_stored(message) for message in messages]
    record = StoredRecord(payload=msgspec.json.encode(stored).decode())
    # Not save(): its signals would call a project's receivers in the midst of a commit.
    fields = [f for f in StoredRecord._meta.local_concrete_fields if not f.primary_key]
    rows: Any = StoredRecord._base_manager.using(alias)
    rows._insert([record], fields=fields, using=alias)


def head(alias: str) -> Cursor:
    """Return the position of the newest record, as this connection's snapshot sees it.

    An empty table has none to name.
    """
    newest = StoredRecord.objects.using(alias).order_by("-id").values_list("token", "id").first()
    return Cursor(newest[0], str(newest[1])) if newest else NOWHERE


def head_to_read_from(alias: str) -> Cursor:
    """Return the position of the newest record, and store an empty one where there is none.

    A reader must stand on a record: nothing else tells it whether what it reads next is next.
    """
    found = head(alias)
    if found == NOWHERE:
        write([], alias)
        found = head(alias)
    return found


def read_after(cursor: Cursor, alias: str) -> list[Record] | None:
    """Return up to BATCH records after `cursor`; None if the record it names is not there."""
    start = _id_of(cursor)
    if start is None:
        return None
    rows = StoredRecord.objects.using(alias).filter(id__gte=start).order_by("id")
    found = list(rows.values_list("token", "id", "payload")[: BATCH + 1])
    if not found or found[0][:2] != (cursor.epoch, start):
        return None
    return [_record(*row) for row in found[1:]]


def prune(before: Cursor, alias: str) -> None:
    """Delete the records before `before`, which stays, a bounded number a call."""
    end = _id_of(before)
    oldest = StoredRecord.objects.using(alias).order_by("id").values_list("id", flat=True).first()
    if end is not None and oldest is not None:
        rows = StoredRecord.objects.using(alias).filter(id__lt=min(end, oldest + 10 * BATCH))
        rows._raw_delete(alias)


def missed(topics: Sequence[Topic], since: Cursor, alias: str) -> str | None:
    """Say why something of `topics` may have been stored after `since`, or None if nothing was."""
    if since == NOWHERE:
        return Reset.NO_REPLAY
    records = read_after(since, alias)
    if records is None:
        return Reset.HISTORY_EXPIRED
    if len(records) >= BATCH:
        return Reset.NO_REPLAY
    told = {message.topic for record in records for message in record.messages}
    return None if told.isdisjoint(topics) else Reset.NO_REPLAY


def _id_of(cursor: Cursor) -> int | None:
    fits = cursor.offset.isdecimal() and len(cursor.offset) <= DIGITS
    # One spelling a number: a client cannot ask the same question in many ways.
    return int(cursor.offset) if fits and cursor.offset == str(int(cursor.offset)) else None


def _record(token: str, number: int, payload: str) -> Record:
    cursor = Cursor(token, str(number))
    return Record(
        cursor,
        tuple(
            Message(Topic(item.topic), item.changes, item.reset, cursor, item.extra)
            for item in _decode(payload)
        ),
    )
