"""Read a table's facts from SQLite's schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.capture.catalogue.facts import TableFacts

_ROWIDS = ("rowid", "_rowid_", "oid")
"""SQLite's names for the number of a row. A column of the same name hides one."""


def read_facts(connection: BaseDatabaseWrapper, table: str) -> TableFacts:
    """Return the facts of the table that this name finds: a temporary one, else the main one."""
    driver: Any = connection.connection
    found = driver.execute(
        "SELECT type, rootpage FROM sqlite_temp_master"
        " WHERE type IN ('table', 'view') AND name = :table COLLATE NOCASE"
        " UNION ALL SELECT type, rootpage FROM sqlite_master"
        " WHERE type IN ('table', 'view') AND name = :table COLLATE NOCASE",
        {"table": table},
    ).fetchone()
    if found is None:
        return TableFacts(obstacle="it is not in the main database")
    kind, page = found
    if kind == "view":
        return TableFacts(obstacle="it is a view")
    if not page:
        return TableFacts(obstacle="it is a virtual table")
    columns = driver.execute(
        "SELECT lower(name), upper(type), pk FROM pragma_table_xinfo(?)", [table]
    ).fetchall()
    names = frozenset(name for name, *_ in columns)
    rowid = _rowid(driver, connection.ops.quote_name(table), names)
    unique = _unique(driver, table)
    key = [(name, kind) for name, kind, pk in columns if pk]
    # SQLite makes no index for the one key column that is the row's number.
    is_number = bool(rowid) and len(key) == 1 and key[0][1] == "INTEGER"
    if is_number and not any(each.keys() == {key[0][0]} for each in unique):
        unique = (*unique, {key[0][0]: "BINARY"})
    return TableFacts(
        columns=names,
        unique=unique,
        rowid=rowid,
        rowid_column=key[0][0] if is_number else "",
        has_triggers=_has_triggers(driver, table),
    )


def _rowid(driver: Any, table: str, columns: frozenset[str]) -> str:
    for name in _ROWIDS:
        if name not in columns:
            try:
                driver.execute(f"SELECT {name} FROM {table} LIMIT 0")  # noqa: S608 -- quoted names
            except sqlite3.OperationalError:
                return ""
            return name
    return ""


def _unique(driver: Any, table: str) -> tuple[Mapping[str, str], ...]:
    """Return the columns of each unique index with their collations; no partial indexes."""
    indexes = driver.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', [table]
    ).fetchall()
    found = []
    for (index,) in indexes:
        parts = driver.execute(
            "SELECT lower(name), coll FROM pragma_index_xinfo(?) WHERE key", [index]
        ).fetchall()
        # An index on an expression has a part without a name.
        if all(name for name, _ in parts):
            found.append(dict(parts))
    return tuple(found)


def _has_triggers(driver: Any, table: str) -> bool:
    found = driver.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table COLLATE NOCASE"
        " UNION ALL SELECT 1 FROM sqlite_temp_master"
        " WHERE type = 'trigger' AND tbl_name = :table COLLATE NOCASE",
        {"table": table},
    ).fetchone()
    return found is not None
