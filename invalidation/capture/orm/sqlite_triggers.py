"""Whether a table has triggers: what they make of a row is not in what its statement returns."""

from __future__ import annotations

from typing import Any

from invalidation.transactions.journal import journal_of


def has_triggers(connection: Any, table: str) -> bool:
    """May a trigger of the project's have changed rows behind the statement that wrote them?

    On SQLite, where a trigger cannot change a row on its way in, but only behind the statement. It
    is asked whether the schema is the one last seen, which costs some microseconds. PostgreSQL's
    usual triggers run before, and their work is returned.
    """
    if connection.vendor != "sqlite":
        return False
    driver = connection.connection
    journal = journal_of(connection)
    # Temporary triggers are in a schema of their own.
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
