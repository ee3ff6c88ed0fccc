"""What stands behind a table's name on PostgreSQL, where not all that can be written is a table."""

from __future__ import annotations

from typing import Any

from invalidation.capture.orm.write import Write

TABLE, VIEW = "r", "v"
"""What `pg_class` calls them; a partitioned table is another kind still."""


def is_view(writing: Write) -> bool:
    """Is a view written? Its rows cannot always be locked, nor what it did to them be returned.

    Only a model that Django does not manage can stand for one, so no other pays for the question.
    """
    return not writing.plan.model._meta.managed and _kind(writing) == VIEW


def has_system_columns(writing: Write) -> bool:
    """Can an INSERT return what PostgreSQL itself notes of a row?"""
    return writing.connection.vendor != "postgresql" or _kind(writing) == TABLE


def _kind(writing: Write) -> str | None:
    """Return the kind, asked once for each connection."""
    reader: Any = writing.reader
    if writing.connection.vendor == "postgresql" and reader.kind is None:
        with writing.connection.cursor() as cursor:
            cursor.execute(
                "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", [reader.table]
            )
            reader.kind = next(iter(cursor.fetchone() or ()), None)
    kind: str | None = reader.kind
    return kind
