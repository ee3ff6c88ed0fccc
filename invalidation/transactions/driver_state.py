"""Read the transaction state of the database driver, which Django does not know in full.

Django does not know of a transaction that raw SQL began, nor that a statement in one has failed.
"""

from __future__ import annotations

from typing import Any

_IDLE, _FAILED = 0, 3
"""libpq's PQTRANS_IDLE and PQTRANS_INERROR."""


def is_in_transaction(connection: Any) -> bool:
    """Return True if the driver is in a transaction."""
    # A closed driver connection cannot be asked.
    return not connection.closed_in_transaction and _status(connection.connection) != _IDLE


def has_failed(connection: Any) -> bool:
    """Return True if a statement failed and PostgreSQL's transaction can only be rolled back."""
    return _status(connection.connection) == _FAILED


def commits_each_statement(connection: Any) -> bool:
    """Return True if SQLite commits each statement, though Django is in an atomic block.

    The block has begun a transaction, and it was ended by hand.
    """
    driver = connection.connection
    return (
        connection.vendor == "sqlite"
        and connection.in_atomic_block
        and not connection.closed_in_transaction
        and driver is not None
        and driver.isolation_level is None
        and not driver.in_transaction
    )


def _status(driver: Any) -> int:
    # psycopg has `info`. SQLite's driver says only whether there is a transaction.
    info = getattr(driver, "info", None)
    if info is not None:
        return int(info.transaction_status)
    return int(getattr(driver, "in_transaction", False))
