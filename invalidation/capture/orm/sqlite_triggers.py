"""Find tables with triggers on SQLite: RETURNING gives rows without the triggers' changes."""

from __future__ import annotations

from typing import Any

from invalidation.transactions.journal import journal_of


def has_triggers(connection: Any, table: str) -> bool:
    """Return True if a trigger of the project may have changed rows after the statement wrote them.

    Only on SQLite, where a trigger cannot change a row before it is stored. Each call compares the
    schema's version with the last one seen, which costs some microseconds. On PostgreSQL the usual
    triggers run before the row is stored, so RETURNING includes their changes.
    """
    if connection.vendor != "sqlite":
        return False
    driver = connection.connection
    journal = journal_of(connection)
    # Temporary triggers have a schema of their own.
    main = driver.execute("PRAGMA schema_version").fetchone()
    temporary = driver.execute("PRAGMA temp.schema_version").fetchone()
    seen = (driver, main, temporary)
    if journal.triggers is None or journal.triggers[0] != seen:
        found = driver.execute(
            "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"
            " UNION SELECT tbl_name FROM sqlite_temp_master WHERE type = 'trigger'"
        ).fetchall()
        journal.triggers = (seen, {name.lower() for (name,) in found})
    return table.lower() in journal.triggers[1]
