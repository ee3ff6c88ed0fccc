"""Read from a database's catalogue what it does by itself: foreign keys with actions.

The catalogue is read when a process first connects to a database, on a later connection after a
minute, and after a statement through Django that changes tables. It costs one query on PostgreSQL
and some pragmas on SQLite, through the driver. Nothing is read while no model is tracked.
"""

from __future__ import annotations

import logging
import re
from time import monotonic
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from invalidation.tracking.cascades import Cascade, catalogue
from invalidation.tracking.registry import declarations
from invalidation.transactions.driver_state import has_failed, is_in_transaction

logger = logging.getLogger("invalidation.catalogue")

READ_AGAIN_AFTER = 60.0
"""Seconds; then a new connection reads the catalogue again."""

_DDL = re.compile(
    r"(?<![a-z_])(?:create|alter|drop)\s[^;]*?(?<![a-z_])table(?![\w$])", re.IGNORECASE
)
_read_at: dict[object, float] = {}

_ON_DELETE = {"c": "delete", "n": "set", "d": "set"}
"""PostgreSQL's `confdeltype`; the actions that it leaves out change no rows."""

_POSTGRES = """
    SELECT child.relname, ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = k.conrelid AND attnum = ANY(k.conkey)
        ), parent.relname, ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = k.confrelid AND attnum = ANY(k.confkey)
        ), k.confdeltype::text, k.confupdtype::text
    FROM pg_constraint k
    JOIN pg_class child ON child.oid = k.conrelid
    JOIN pg_class parent ON parent.oid = k.confrelid
    WHERE k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
"""
_SQLITE = """
    SELECT m.name, k.id, k."from", k."table", k."to", k.on_delete, k.on_update
    FROM sqlite_master m, pragma_foreign_key_list(m.name) k
    WHERE m.type = 'table'
        AND (k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
            OR k.on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))
"""
_SQLITE_KEY = "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk"


def install() -> None:
    """Read the catalogue on new connections."""
    connection_created.connect(_on_connect, dispatch_uid="invalidation.catalogue")


def note_ddl(sql: str, connection: BaseDatabaseWrapper) -> None:
    """Read the catalogue again if this statement, which has run, may have changed tables."""
    if _DDL.search(sql) and declarations() and not has_failed(connection):
        _read(connection, is_final=not is_in_transaction(connection))


def read_catalogue(connection: Any) -> frozenset[Cascade]:
    """Return the foreign keys with actions of a database; none of another vendor's."""
    connection.ensure_connection()
    read = _readers.get(connection.vendor)
    cursor = connection.connection.cursor()
    try:
        return read(cursor) if read else frozenset()
    finally:
        cursor.close()


def _on_connect(connection: BaseDatabaseWrapper, **_: object) -> None:
    read_at = _read_at.get(_database(connection))
    if declarations() and (read_at is None or monotonic() - read_at > READ_AGAIN_AFTER):
        _read(connection, is_final=True)
        if is_in_transaction(connection):
            # With autocommit off the query began one.
            connection.connection.rollback()


def _read(connection: Any, *, is_final: bool) -> None:
    """Read the catalogue; in an open transaction, which may roll back, forget nothing."""
    database = _database(connection)
    try:
        found = read_catalogue(connection)
    except Exception:
        # A role may not be allowed to read it; connecting must not fail.
        logger.exception("cannot read the foreign keys of %r", connection.alias)
        return
    if is_final:
        _read_at[database] = monotonic()
    else:
        found |= catalogue.of(database) or frozenset()
        _read_at.pop(database, None)
    catalogue.learn(database, found)


def _database(connection: BaseDatabaseWrapper) -> object:
    settings = connection.settings_dict
    return tuple(str(settings.get(part)) for part in ("ENGINE", "HOST", "PORT", "NAME"))


def _read_postgres(cursor: Any) -> frozenset[Cascade]:
    cursor.execute(_POSTGRES)
    return frozenset(
        Cascade.of(
            (table, columns),
            (target, target_columns),
            _ON_DELETE.get(on_delete),
            on_update in _ON_DELETE,
        )
        for table, columns, target, target_columns, on_delete, on_update in cursor.fetchall()
    )


def _read_sqlite(cursor: Any) -> frozenset[Cascade]:
    keys: dict[tuple[str, int], list[Any]] = {}
    for table, number, *key in cursor.execute(_SQLITE).fetchall():
        keys.setdefault((table, number), []).append(key)
    found = set()
    for (table, _), parts in keys.items():
        _, target, _, on_delete, on_update = parts[0]
        # Without named columns a key refers to the primary key.
        to = [part[2] for part in parts]
        if None in to:
            to = [name for (name,) in cursor.execute(_SQLITE_KEY, [target]).fetchall()]
        on_delete = "delete" if on_delete == "CASCADE" else "set" if on_delete in _SETS else None
        own = (table, [part[0] for part in parts])
        found.add(Cascade.of(own, (target, to), on_delete, on_update in {"CASCADE", *_SETS}))
    return frozenset(found)


_SETS = frozenset({"SET NULL", "SET DEFAULT"})
_readers: dict[str, Any] = {"postgresql": _read_postgres, "sqlite": _read_sqlite}
