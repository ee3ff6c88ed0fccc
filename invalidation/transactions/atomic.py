"""Put a write and its stored messages into one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.transactions.commit import flush
from invalidation.transactions.driver_state import is_in_transaction
from invalidation.transactions.journal import journal_of


def ensure_transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Return a context manager that runs a write in a transaction, if none is open."""
    if connection.in_atomic_block or not connection.get_autocommit():
        return nullcontext()
    if is_in_transaction(connection):
        # Raw SQL began the transaction, so Django does not know of it.
        return _store_after_write(connection)
    return _own_transaction(connection)


def store_and_send_now(connection: BaseDatabaseWrapper) -> None:
    """Store the messages now, in an open transaction whose end Django does not see."""
    send = flush(connection, at_the_end=False)
    journal_of(connection).clear()
    if send is not None:
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
    store_and_send_now(connection)
