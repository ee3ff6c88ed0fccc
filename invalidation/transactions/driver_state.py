"""Read the transaction state of the database driver, which Django does not know in full.

Django does not know of a transaction that raw SQL began, nor that a statement in one has failed.
"""

from __future__ import annotations

from typing import Any

_IDLE, _FAILED = 0, 3
"""libpq's PQTRANS_IDLE and PQTRANS_INERROR."""


def is_in_transaction(connection: Any) -> bool:
    """Return True if the driver is in a transaction."""
    return _status(connection.connection) != _IDLE


def has_failed(connection: Any) -> bool:
    """Return True if a statement failed and PostgreSQL's transaction can only be rolled back."""
    return _status(connection.connection) == _FAILED


def _status(driver: Any) -> int:
    # psycopg has `info`. SQLite's driver says only whether there is a transaction.
    info = getattr(driver, "info", None)
    if info is not None:
        return int(info.transaction_status)
    return int(getattr(driver, "in_transaction", False))
