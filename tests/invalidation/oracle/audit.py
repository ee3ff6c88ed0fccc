"""Triggers that log which transaction did what to which row, within that transaction.

Rolled-back writes are therefore not in the log; and only a trigger knows the writes of one
transaction among concurrent ones. A stored record is logged too, which links each transaction to
its messages.

PostgreSQL numbers its transactions. On SQLite each connection names its current one, by a function
that this module registers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

from tests.invalidation.oracle.snapshot import driver
from tests.invalidation.oracle.tables import TABLES, Row

RECORD = -1
"""The label that stands for the table of records."""

_current = threading.local()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row written by a statement. For a stored record, `row` is None, `record` its number."""

    number: int
    transaction: str
    row: Row | None
    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None
    record: int = 0


def begin(transaction: str) -> None:
    """Set the name of this thread's next transaction, where the database does not number them."""
    _current.name = transaction


@contextmanager
def audited() -> Iterator[None]:
    """Install the triggers within a block."""
    connection_created.connect(_name_transactions)
    _name_transactions(None, connection)
    for statement in _statements():
        driver().execute(statement)
    try:
        yield
    finally:
        _remove()
        connection_created.disconnect(_name_transactions)


def newest() -> int:
    """Return the number of the last entry."""
    ((number,),) = driver().execute("SELECT max(id) FROM oracle_audit").fetchall()
    return number or 0


def since(number: int) -> list[Entry]:
    """Return the entries after a number, in their order."""
    sql = f"SELECT id, tx, tbl, old, new FROM oracle_audit WHERE id > {number:d} ORDER BY id"
    return [entry for line in driver().execute(sql).fetchall() for entry in _entries(*line)]


def changed(entries: Iterable[Entry]) -> set[Row]:
    """Return the rows that differ from their state before their first entry."""
    first: dict[Row, Any] = {}
    last: dict[Row, Any] = {}
    for entry in entries:
        if entry.row is not None:
            first.setdefault(entry.row, entry.before)
            last[entry.row] = entry.after
    return {row for row in first if first[row] != last[row]}


def _entries(number: int, tx: str, table: int, old: str | None, new: str | None) -> Iterator[Entry]:
    """Give the entries of a log line: two if a row's key changed, since it is two rows then."""
    if table == RECORD:
        yield Entry(number, tx, None, record=int(new or 0))
        return
    images = [tuple(json.loads(text)) if text else None for text in (old, new)]
    rows = [TABLES[table].row(image) if image else None for image in images]
    if rows[0] == rows[1]:
        yield Entry(number, tx, rows[0], *images)
        return
    if rows[0]:
        yield Entry(number, tx, rows[0], images[0], None)
    if rows[1]:
        yield Entry(number, tx, rows[1], None, images[1])


def _name_transactions(sender: object, connection: Any, **_: object) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.create_function("oracle_tx", 0, lambda: getattr(_current, "name", ""))


def _statements() -> Iterator[str]:
    make = _for_sqlite if connection.vendor == "sqlite" else _for_postgres
    kind = "INTEGER" if connection.vendor == "sqlite" else "BIGSERIAL"
    yield f"CREATE TABLE oracle_audit (id {kind} PRIMARY KEY, tx TEXT, tbl INT, old TEXT, new TEXT)"
    yield from make("realtime_storedrecord", RECORD, ("id",), ("INSERT",))
    for index, table in enumerate(TABLES):
        yield from make(table.name, index, table.columns, ("INSERT", "UPDATE", "DELETE"))


def _for_sqlite(
    name: str, index: int, columns: tuple[str, ...], events: tuple[str, ...]
) -> Iterator[str]:
    for event in events:
        old = "NULL" if event == "INSERT" else _sqlite_image("OLD", index, columns)
        new = "NULL" if event == "DELETE" else _sqlite_image("NEW", index, columns)
        yield (
            f"CREATE TRIGGER oracle_{name}_{event} AFTER {event} ON {name} BEGIN"
            f" INSERT INTO oracle_audit (tx, tbl, old, new)"
            f" VALUES (oracle_tx(), {index}, {old}, {new}); END"
        )


def _sqlite_image(row: str, index: int, columns: tuple[str, ...]) -> str:
    texts = [f"CAST({row}.{column} AS TEXT)" for column in columns]
    return texts[0] if index == RECORD else f"json_array({', '.join(texts)})"


def _for_postgres(
    name: str, index: int, columns: tuple[str, ...], events: tuple[str, ...]
) -> Iterator[str]:
    old, new = (_postgres_image(row, index, columns) for row in ("OLD", "NEW"))
    yield (
        f"CREATE FUNCTION oracle_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO oracle_audit (tx, tbl, old, new)"
        f" VALUES (pg_current_xact_id()::text, {index},"
        f" CASE WHEN TG_OP <> 'INSERT' THEN {old} END,"
        f" CASE WHEN TG_OP <> 'DELETE' THEN {new} END); RETURN NULL; END $$"
    )
    yield (
        f"CREATE TRIGGER oracle_{name} AFTER {' OR '.join(events)} ON {name}"
        f" FOR EACH ROW EXECUTE FUNCTION oracle_{name}()"
    )


def _postgres_image(row: str, index: int, columns: tuple[str, ...]) -> str:
    texts = [f"{row}.{column}::text" for column in columns]
    return texts[0] if index == RECORD else f"array_to_json(ARRAY[{', '.join(texts)}])::text"


def _remove() -> None:
    names = ["realtime_storedrecord", *(table.name for table in TABLES)]
    if connection.vendor == "sqlite":
        for name in names:
            for event in ("INSERT", "UPDATE", "DELETE"):
                driver().execute(f"DROP TRIGGER IF EXISTS oracle_{name}_{event}")
    else:
        for name in names:
            driver().execute(f"DROP FUNCTION oracle_{name}() CASCADE")
    driver().execute("DROP TABLE oracle_audit")
