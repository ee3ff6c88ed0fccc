"""What the database driver says of its transaction, whoever has begun it.

Django does not know of one that raw SQL began, nor that a statement in one has failed.
"""

from __future__ import annotations

from typing import Any

_IDLE, _FAILED = 0, 3
"""What libpq calls PQTRANS_IDLE and PQTRANS_INERROR."""


def is_in_transaction(connection: Any) -> bool:
    """Is the driver in a transaction?"""
    return _status(connection.connection) != _IDLE


def has_failed(connection: Any) -> bool:
    """Has a statement failed, so that PostgreSQL's transaction can only be rolled back?"""
    return _status(connection.connection) == _FAILED


def _status(driver: Any) -> int:
    # By what the driver has: SQLite's says only whether there is a transaction.
    info = getattr(driver, "info", None)
    if info is not None:
        return int(info.transaction_status)
    return int(getattr(driver, "in_transaction", False))
