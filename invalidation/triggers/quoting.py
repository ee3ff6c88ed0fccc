"""Quote names and texts as SQL."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Quote a name; one in quotes, like Django's `"schema"."table"`, stays as it is."""
    if name.startswith('"') and name.endswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(table: str) -> str:
    """Return a table's name with its schema, for functions whose search_path is pinned."""
    return table if '"."' in table else f"@schema@.{identifier(table)}"


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
