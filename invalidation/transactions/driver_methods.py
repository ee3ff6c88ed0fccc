"""Follow psycopg's own `commit()`, `rollback()` and `tpc_…()`, called beside Django.

The methods of a psycopg connection can be replaced; those of SQLite's and of psycopg 2's cannot, so
that the end of a transaction is noticed later: see `settle`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import ref

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.changes import UnknownRows
from invalidation.tracking.registry import declarations
from invalidation.transactions import by_hand
from invalidation.transactions.journal import journal_of
from invalidation.transactions.settle import tell_now
from realtime.messages.message import Reset


def follow_driver(connection: BaseDatabaseWrapper) -> None:
    """Replace the methods of a new driver connection, if they can be."""
    driver = connection.connection
    if not hasattr(driver, "pgconn"):
        return
    for name, handler in _HANDLERS.items():
        method = getattr(type(driver), name)
        # A pool hands the same driver connection to one Django connection after another.
        setattr(driver, name, _replace(method.__get__(driver), handler, ref(connection)))


def _replace(method: Callable[..., Any], handler: Callable[..., Any], whose: Any) -> Any:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        connection = whose()
        theirs = connection is not None and connection.connection is method.__self__  # type: ignore[attr-defined]
        if not theirs or journal_of(connection).is_ending:
            return method(*args, **kwargs)
        return handler(connection, lambda: method(*args, **kwargs))

    return call


def _commit_prepared(connection: Any, run: by_hand.Run) -> Any:
    """Commit a two-phase transaction, which may be any process's: all tracked models are reset."""
    result = by_hand.commit(connection, run)
    tell_now(connection, [UnknownRows(each.model, Reset.RAW_SQL) for each in declarations()])
    return result


_HANDLERS: dict[str, Callable[..., Any]] = {
    "commit": by_hand.commit,
    "rollback": by_hand.rollback,
    "tpc_prepare": by_hand.prepare,
    "tpc_commit": _commit_prepared,
    "tpc_rollback": by_hand.rollback,
}
