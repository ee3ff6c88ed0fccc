"""Read the stored records after the last one read."""

from __future__ import annotations

from django.db import connection

from realtime.backends.database.record import record_of
from realtime.messages.cursors import NOWHERE
from tests.invalidation.oracle.judging import Line, Told
from tests.invalidation.oracle.snapshot import driver


def newest() -> int:
    """Return the number of the newest record."""
    ((number,),) = driver().execute("SELECT max(id) FROM realtime_storedrecord").fetchall()
    return number or 0


def told_since(number: int) -> list[tuple[int, Told]]:
    """Return the records after a number, each with its own number."""
    mark = "?" if connection.vendor == "sqlite" else "%s"
    sql = f"SELECT id, payload FROM realtime_storedrecord WHERE id > {mark} ORDER BY id"
    return [(pk, told_by(payload)) for pk, payload in driver().execute(sql, (number,)).fetchall()]


def told_by(payload: str) -> Told:
    """Return the messages of a record."""
    lines: set[Line] = set()
    resets: set[str] = set()
    for message in record_of(payload, NOWHERE, 0).messages:
        if message.reset:
            resets.add(str(message.topic))
        for label, rows in message.changes.items():
            lines |= {(str(message.topic), label, pk, verb) for pk, verb in rows.items()}
    return Told(frozenset(lines), frozenset(resets))
