"""Put a write and its stored messages into one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.transactions.commit import flush
from invalidation.transactions.driver_state import commits_each_statement, is_in_transaction
from invalidation.transactions.journal import Held, journal_of
from invalidation.transactions.sending import close_journal, send_committed
from realtime.backends import get_pubsub


def ensure_transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Return a context manager that runs a write in a transaction, if none is open."""
    if connection.in_atomic_block or not connection.get_autocommit():
        return _statement(connection) if commits_each_statement(connection) else nullcontext()
    if is_in_transaction(connection):
        # Raw SQL began the transaction, so Django does not know of it.
        return _store_after_write(connection)
    return _own_transaction(connection)


def store_now(connection: BaseDatabaseWrapper) -> None:
    """Store the messages now, in an open transaction whose end Django may not see.

    They are sent when the end is seen. A backend that stores no messages sends them now too, since
    it would lose them if the end is not seen.
    """
    journal = journal_of(connection)
    entries, send = journal.entries(), flush(connection, at_the_end=False)
    journal.clear()
    if send is not None:
        stored = get_pubsub().stores_on(connection.alias)
        if not stored:
            send()
        if is_in_transaction(connection):
            journal.held.append(Held(send, entries, stored))
            journal.note_state()
        elif stored:
            send()


@contextmanager
def _own_transaction(connection: Any) -> Iterator[None]:
    sqlite = connection.vendor == "sqlite"
    mode = connection.transaction_mode if sqlite else None
    if sqlite:
        # BEGIN IMMEDIATE takes the write lock, which saves a statement of its own.
        connection.transaction_mode = "IMMEDIATE"
    try:
        with transaction.atomic(using=connection.alias, savepoint=False):
            journal_of(connection).is_writing = True
            yield
    finally:
        if sqlite:
            connection.transaction_mode = mode


@contextmanager
def _store_after_write(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Store the messages right after the write, in a transaction that raw SQL began."""
    yield
    store_now(connection)


@contextmanager
def _statement(connection: Any) -> Iterator[None]:
    """Run a write and its record as one transaction of SQLite, within a block of Django.

    The block's own transaction was ended by hand, and SQLite commits each statement since then.
    """
    driver = connection.connection
    with connection.wrap_database_errors:
        driver.execute("BEGIN IMMEDIATE")
    journal = journal_of(connection)
    journal.is_writing = True
    try:
        yield
        send = flush(connection)
        with connection.wrap_database_errors:
            driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        journal.clear()
        raise
    close_journal(connection, send)
    send_committed(connection)
