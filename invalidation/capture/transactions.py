"""Following transactions: savepoints taken and rolled back, commit, rollback, close.

The methods of the database wrapper are wrapped, not `transaction.on_commit` used: hooks are lost
when another hook raises or autocommit is off, and survive a manual `savepoint_rollback()`. And the
messages must be stored inside the transaction, just before it commits, which no hook can do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.commit import flush, journal_of

logger = logging.getLogger("invalidation.transactions")


def install() -> None:
    """Wrap the methods of every database wrapper; a second call does nothing."""
    for name, wrapper in (
        ("savepoint", _savepoint),
        ("savepoint_rollback", _savepoint_rollback),
        ("commit", _commit),
        ("rollback", _forgetting),
        ("close", _forgetting),
        ("connect", _forgetting),
    ):
        original = getattr(BaseDatabaseWrapper, name)
        if not hasattr(original, "__wrapped_by_invalidation__"):
            wrapped = wraps(original)(wrapper(original))
            wrapped.__wrapped_by_invalidation__ = True
            setattr(BaseDatabaseWrapper, name, wrapped)


def _savepoint(original: Callable[..., str | None]) -> Any:
    def savepoint(self: BaseDatabaseWrapper) -> str | None:
        sid = original(self)
        if sid is not None:
            journal_of(self).mark(sid)
        return sid

    return savepoint


def _savepoint_rollback(original: Callable[..., None]) -> Any:
    def savepoint_rollback(self: BaseDatabaseWrapper, sid: str) -> None:
        original(self, sid)
        journal_of(self).roll_back_to(sid)

    return savepoint_rollback


def _commit(original: Callable[..., None]) -> Any:
    def commit(self: BaseDatabaseWrapper) -> None:
        self.validate_thread_sharing()
        self.validate_no_atomic_block()
        try:
            send = flush(self)
        except BaseException:
            # Neither the change nor its message: Django would set autocommit on a transaction
            # that is still open.
            self.rollback()
            raise
        original(self)
        if send is not None:
            _send(send)

    return commit


def _send(send: Callable[[], None]) -> None:
    try:
        send()
    except Exception:
        # The change is committed, and its writer has done nothing wrong.
        logger.exception("a committed change could not be sent")


def _forgetting(original: Callable[..., None]) -> Any:
    def forgetting(self: BaseDatabaseWrapper) -> None:
        journal_of(self).take()
        original(self)

    return forgetting
