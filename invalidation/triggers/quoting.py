"""Names and texts as SQL."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Quote a name; Django takes one in quotes as it is, for `"schema"."table"`."""
    if name.startswith('"') and name.endswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(table: str) -> str:
    """Name a table where nothing is looked up."""
    return table if '"."' in table else f"@schema@.{identifier(table)}"


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"
