"""The form in which names of tables are compared. Pure."""

from __future__ import annotations


def bare_name(table: str) -> str:
    """Return a `db_table` without schema, quotes and case: `'"Schema"."Table"'` is `table`."""
    quoted = table.startswith('"') and table.endswith('"') and len(table) > 1
    return (table[1:-1].rpartition('"."')[2] if quoted else table).lower()
