"""Read all tracked tables by plain SQL, through the driver: no query of Django's, none counted."""

from __future__ import annotations

from typing import Any

from django.db import Error

from invalidation.tracking.declarations import Declaration
from invalidation.tracking.registry import declarations

Row = tuple[Any, ...]
"""A row's primary key columns, then its other columns in the order of `columns_of`; as the driver
gives them."""

Tables = dict[Declaration, dict[str, list[Row]]]
"""The rows of each table by the text of their keys; several where the key is not unique."""


def columns_of(declaration: Declaration) -> list[Any]:
    """Return the fields of a row: those of the primary key, then those that capture reads."""
    opts = declaration.model._meta
    own = {field.attname: field for field in opts.local_concrete_fields}
    return [*opts.pk_fields, *(own[name] for name in sorted(declaration.columns))]


def read_tables(connection: Any) -> Tables:
    """Return the rows of every tracked table that exists with all of its columns."""
    there = _existing(connection)
    found: Tables = {}
    for declaration in declarations():
        table = declaration.model._meta.db_table
        columns = [str(field.column) for field in columns_of(declaration)]
        if set(columns) <= there.get(table, set()):
            found[declaration] = _by_key(declaration, _select(table, columns, connection))
    return found


def _by_key(declaration: Declaration, rows: list[Row]) -> dict[str, list[Row]]:
    width = len(declaration.model._meta.pk_fields)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(repr(row[:width]), []).append(row)
    return found


def _select(table: str, columns: list[str], connection: Any) -> list[Row]:
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, columns))
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"SELECT {names} FROM {quote(table)}")
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()


_POSTGRES = (
    "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a"
    " ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)"
    " AND c.relnamespace <> 'pg_catalog'::regnamespace GROUP BY c.relname"
)
# Generated columns are only in `table_xinfo`.
_SQLITE = """
    SELECT m.name, p.name FROM sqlite_master m, pragma_table_xinfo(m.name) p WHERE m.type = 'table'
"""
_seen: dict[int, tuple[Any, Any, dict[str, set[str]]]] = {}


def _existing(connection: Any) -> dict[str, set[str]]:
    """Return the columns of the tables that exist now."""
    cursor = connection.connection.cursor()
    try:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES)
            return {name: set(columns) for name, columns in cursor.fetchall()}
        return _existing_on_sqlite(cursor, connection)
    except Error:
        return {}
    finally:
        cursor.close()


def _existing_on_sqlite(cursor: Any, connection: Any) -> dict[str, set[str]]:
    # Read again only after the schema has changed.
    version = cursor.execute("PRAGMA schema_version").fetchone()
    driver, known, tables = _seen.get(id(connection), (None, None, {}))
    if driver is not connection.connection or known != version:
        tables = {}
        for table, column in cursor.execute(_SQLITE).fetchall():
            tables.setdefault(table, set()).add(column)
        _seen[id(connection)] = (connection.connection, version, tables)
    return tables
