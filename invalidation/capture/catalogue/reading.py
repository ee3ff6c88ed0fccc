"""Read a table's facts, once for each table and connection.

They are read beneath Django's cursor: they are no query of the project's, and `assertNumQueries`
does not count them. On SQLite the version of the schema tells when to read them again, also after
changes by other connections. On PostgreSQL the statements on this connection tell it.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.capture.catalogue import postgres, sqlite
from invalidation.capture.catalogue.facts import TableFacts
from invalidation.capture.sql_marker import has_marker
from invalidation.transactions.journal import journal_of


def facts_of(connection: BaseDatabaseWrapper, table: str) -> TableFacts:
    """Return the facts of a table, named as in `db_table`.

    On SQLite the transaction must hold the write lock: this reads, and a transaction that reads
    first and writes later may be refused.
    """
    journal = journal_of(connection)
    schema = _schema(connection)
    if journal.facts_seen != schema or journal.facts_driver is not connection.connection:
        journal.facts.clear()
        journal.facts_seen, journal.facts_driver = schema, connection.connection
    found: TableFacts | None = journal.facts.get(table)
    if found is None:
        read = sqlite.read_facts if connection.vendor == "sqlite" else postgres.read_facts
        with connection.wrap_database_errors:
            found = journal.facts[table] = read(connection, table)
    return found


def facts_before(connection: BaseDatabaseWrapper, table: str) -> TableFacts | None:
    """Return the facts that were read last, without a look at the database; None if none were.

    Another connection may have changed SQLite's schema since.
    """
    journal = journal_of(connection)
    same = journal.facts_driver is connection.connection
    found: TableFacts | None = journal.facts.get(table) if same else None
    return found


def _schema(connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    """Return the versions of SQLite's schemas."""
    if connection.vendor != "sqlite":
        return ()
    driver: Any = connection.connection
    # Temporary tables have a schema of their own.
    main = driver.execute("PRAGMA schema_version").fetchone()
    return main, driver.execute("PRAGMA temp.schema_version").fetchone()


# Alone, a statement that begins so changes no facts.
_PLAIN = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "SAVEPOINT ", "RELEASE ")
_CHANGES = re.compile(
    r"\b(?:alter|create|drop|grant|revoke|reassign|security|set_config|discard|reset|execute|call"
    r"|rollback|abort)\b|(?:\A|;)\s*set\b",
    re.IGNORECASE,
)


def forget_if_changed(connection: BaseDatabaseWrapper, sql: str) -> None:
    """Forget the facts if a statement may change them, such as DDL, GRANT or SET ROLE.

    They are forgotten once more at the end of the transaction, since a rollback takes such a
    statement back.
    """
    if sql.startswith(_PLAIN) and ";" not in sql and "set_config" not in sql:
        return
    if _CHANGES.search(sql) and not has_marker(sql):
        journal = journal_of(connection)
        journal.facts.clear()
        journal.are_facts_changing = True
