"""Follow a connection's transactions: savepoints taken and rolled back, commit, rollback, close.

It wraps the methods of the database wrapper instead of using `transaction.on_commit`: hooks are
lost when another hook raises or autocommit is off, and survive a manual `savepoint_rollback()`.
And the messages must be stored inside the transaction, right before its commit, where no hook runs.

Three methods commit: `commit()`; `set_autocommit(True)` within an open transaction, on databases
that allow it; and, on SQLite with autocommit off, releasing a savepoint that began the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.transactions.commit import flush
from invalidation.transactions.driver_methods import follow_driver
from invalidation.transactions.driver_state import has_failed, is_in_transaction
from invalidation.transactions.journal import journal_of
from invalidation.transactions.sending import close_journal, send_committed
from invalidation.transactions.settle import settle, take_held


def install() -> None:
    """Wrap the methods of Django's database wrapper class; a second call does nothing."""
    for name, wrapper in (
        ("savepoint", _savepoint),
        ("savepoint_commit", _savepoint_commit),
        ("savepoint_rollback", _savepoint_rollback),
        ("set_autocommit", _set_autocommit),
        ("commit", _commit),
        ("rollback", _clear_after),
        ("close", _clear_after),
        ("connect", _connect),
        ("run_and_clear_commit_hooks", _run_hooks),
    ):
        original = getattr(BaseDatabaseWrapper, name)
        if not hasattr(original, "__wrapped_by_invalidation__"):
            wrapped: Any = wraps(original)(wrapper(original))
            wrapped.__wrapped_by_invalidation__ = True
            setattr(BaseDatabaseWrapper, name, wrapped)


def _savepoint(original: Callable[..., str | None]) -> Any:
    def savepoint(self: BaseDatabaseWrapper) -> str | None:
        idle = self.vendor == "sqlite" and not getattr(self.connection, "in_transaction", True)
        sid = original(self)
        if sid is not None:
            journal_of(self).note_savepoint(sid, begins=idle)
        return sid

    return savepoint


def _savepoint_commit(original: Callable[..., None]) -> Any:
    def savepoint_commit(self: BaseDatabaseWrapper, sid: str) -> None:
        if journal_of(self).is_begun_by(sid):
            _commit_and_send(self, lambda: original(self, sid))
        else:
            original(self, sid)

    return savepoint_commit


def _savepoint_rollback(original: Callable[..., None]) -> Any:
    def savepoint_rollback(self: BaseDatabaseWrapper, sid: str) -> None:
        original(self, sid)
        # A database without savepoints has rolled back nothing.
        if self._savepoint_allowed():  # type: ignore[attr-defined]
            journal_of(self).roll_back_to(sid)

    return savepoint_rollback


def _set_autocommit(original: Callable[..., None]) -> Any:
    def set_autocommit(
        self: BaseDatabaseWrapper,
        autocommit: bool,
        force_begin_transaction_with_broken_autocommit: bool = False,
    ) -> None:
        begins = force_begin_transaction_with_broken_autocommit
        if autocommit and not self.in_atomic_block:
            try:
                _commit_and_send(self, lambda: original(self, autocommit, begins))
            except BaseException:
                _turn_driver_autocommit_off(self)
                raise
        else:
            original(self, autocommit, begins)
        # Only an atomic block passes this argument.
        journal_of(self).is_begun_by_block = begins and not autocommit

    return set_autocommit


def _commit(original: Callable[..., None]) -> Any:
    def commit(self: BaseDatabaseWrapper) -> None:
        self.validate_thread_sharing()
        self.validate_no_atomic_block()
        settle(self)
        if has_failed(self):
            # PostgreSQL rolls back instead, without an error, and would refuse to store the record.
            with _ending(self):
                original(self)
            journal_of(self).clear()
            return
        try:
            send = flush(self)
        except BaseException:
            # Without its messages the change must not commit. And Django would set autocommit while
            # the transaction is still open.
            _roll_back(self)
            raise
        try:
            with _ending(self):
                original(self)
        except BaseException:
            _clear_if_ended(self)
            raise
        close_journal(self, send)
        if not journal_of(self).is_begun_by_block:
            send_committed(self)
            if is_in_transaction(self):
                # With autocommit off, a query in a receiver has begun another transaction.
                self.commit()

    return commit


def _run_hooks(original: Callable[..., None]) -> Any:
    def run_and_clear_commit_hooks(self: BaseDatabaseWrapper) -> None:
        # An atomic block is done with its commit only here: after `commit()` it turns autocommit
        # on, and a query in between would prevent that. The hooks are set aside, so that a
        # receiver's own transaction does not run them.
        hooks: Any = self.run_on_commit
        self.run_on_commit = []
        send_committed(self)
        self.run_on_commit = hooks
        original(self)

    return run_and_clear_commit_hooks


@contextmanager
def _ending(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Note that Django itself ends the transaction within the block."""
    journal = journal_of(connection)
    journal.is_ending = True
    try:
        yield
    finally:
        journal.is_ending = False


def _clear_if_ended(connection: BaseDatabaseWrapper) -> None:
    """Clear the journal if a commit that failed has ended its transaction.

    On PostgreSQL a failed commit is a rollback. On SQLite the transaction stays open, and its
    commit may be tried again.
    """
    if connection.connection is not None and not is_in_transaction(connection):
        journal_of(connection).clear()


def _commit_and_send(connection: BaseDatabaseWrapper, commit: Callable[[], None]) -> None:
    settle(connection)
    send = flush(connection)
    with _ending(connection):
        commit()
    close_journal(connection, send)
    send_committed(connection)


def _turn_driver_autocommit_off(connection: Any) -> None:
    """Turn the SQLite driver's autocommit off again after a commit that failed.

    `set_autocommit(True)` turns it on in the driver before the commit. The driver would then commit
    each statement from then on, while Django still waits for its own commit and publishes nothing.
    """
    open_there = connection.vendor == "sqlite" and connection.connection is not None
    if open_there and not connection.autocommit:
        connection._set_autocommit(False)


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    try:
        connection.rollback()
    except Error:
        # As Django does: the connection is in an unknown state.
        connection.close()


def _clear_after(original: Callable[..., None]) -> Any:
    def clear_after(self: BaseDatabaseWrapper) -> None:
        # A call that Django refuses (within an atomic block, or from another thread) raises above
        # and has ended no transaction.
        self.validate_thread_sharing()
        settle(self)
        with _ending(self):
            original(self)
        take_held(self)
        journal_of(self).clear()

    return clear_after


def _connect(original: Callable[..., None]) -> Any:
    def connect(self: BaseDatabaseWrapper) -> None:
        # The journal may hold a transaction of a lost connection.
        take_held(self)
        journal_of(self).clear()
        original(self)
        follow_driver(self)

    return connect
