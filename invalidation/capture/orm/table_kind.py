"""The kind of relation behind a table's name on PostgreSQL: a table, a view or another."""

from __future__ import annotations

from typing import Any

from invalidation.capture.orm.write import Write

TABLE, VIEW = "r", "v"
"""Their letters in `pg_class.relkind`; a partitioned table has another."""


def is_view(write: Write) -> bool:
    """Return True if the write is to a view, whose rows cannot always be locked or returned.

    Only a model that Django does not manage can have a view, so only such models cost a query.
    """
    return not write.plan.model._meta.managed and _kind(write) == VIEW


def has_system_columns(write: Write) -> bool:
    """Return True if an INSERT can return PostgreSQL's system columns, such as xmax."""
    return write.connection.vendor != "postgresql" or _kind(write) == TABLE


def _kind(write: Write) -> str | None:
    """Return the `relkind`, read once for each connection."""
    reader: Any = write.reader
    if write.connection.vendor == "postgresql" and reader.kind is None:
        with write.connection.cursor() as cursor:
            cursor.execute(
                "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", [reader.table]
            )
            reader.kind = next(iter(cursor.fetchone() or ()), None)
    kind: str | None = reader.kind
    return kind
