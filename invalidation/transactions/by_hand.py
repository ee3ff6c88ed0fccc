"""Transactions that are ended by hand: by a statement of raw SQL, or by the driver's methods.

Django does not know of it, and its atomic block goes on. The journal does what it does when Django
ends a transaction: the messages are stored before a COMMIT and sent after it, and dropped by a
ROLLBACK.

`PREPARE TRANSACTION` neither commits nor rolls back. The messages are stored in the prepared
transaction, and sent after its `COMMIT PREPARED`; see `prepared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from invalidation.changes import JournalEntry
from invalidation.transactions import prepared
from invalidation.transactions.commit import flush
from invalidation.transactions.driver_state import has_failed, is_in_transaction
from invalidation.transactions.journal import as_resets, journal_of
from invalidation.transactions.sending import close_journal, send_committed
from invalidation.transactions.settle import resets_of_held, take_held, tell_now

Run = Callable[[], Any]
"""Runs the statement, and returns its result."""

Name = str | None
"""The name of a savepoint or of a prepared transaction; None if it is unknown."""


def commit(connection: Any, run: Run, _: Name = None) -> Any:
    """Run a COMMIT: the messages are stored before it, and sent after it."""
    if has_failed(connection):
        # PostgreSQL rolls back instead, without an error.
        return rollback(connection, run)
    send = flush(connection)
    result = _run(connection, run)
    held = take_held(connection)
    close_journal(connection, send)
    journal_of(connection).to_send[:0] = [each.send for each in held]
    send_committed(connection)
    return result


def rollback(connection: Any, run: Run, _: Name = None) -> Any:
    """Run a ROLLBACK: the messages are dropped; resets correct those that were sent too early."""
    result = _run(connection, run)
    held = take_held(connection)
    journal_of(connection).clear()
    if wrong := resets_of_held(held):
        tell_now(connection, wrong)
    return result


def rollback_to(connection: Any, run: Run, savepoint: Name) -> Any:
    """Run a ROLLBACK TO a savepoint: later changes are dropped."""
    result = run()
    journal = journal_of(connection)
    journal.roll_back_to(str(savepoint))
    # It is unknown which of these are dropped.
    held = take_held(connection)
    if wrong := resets_of_held(held):
        journal.held = [each for each in held if each.stored]
        journal.add(wrong)
        send = flush(connection, at_the_end=False)
        journal.clear()
        if send is not None:
            send()
    else:
        journal.held = held
    return result


def prepare(connection: Any, run: Run, name: Name = None) -> Any:
    """Run a PREPARE TRANSACTION: the messages are stored in it, and sent when it is committed."""
    if has_failed(connection):
        return rollback(connection, run)
    # Children are not locked: the locks would last until the transaction is committed.
    send = flush(connection, at_the_end=False)
    result = _run(connection, run)
    held = take_held(connection)
    journal_of(connection).clear()
    sends = [each.send for each in held] + ([send] if send is not None else [])
    if name is not None:
        prepared.keep(connection, name, sends)
    return result


def commit_prepared(connection: Any, run: Run, name: Name) -> Any:
    """Run the COMMIT PREPARED of a transaction that this process has prepared."""
    result = run()
    journal_of(connection).to_send += prepared.take(connection, str(name)) or ()
    send_committed(connection)
    return result


def rollback_prepared(connection: Any, run: Run, name: Name) -> Any:
    """Run a ROLLBACK PREPARED: the messages are dropped."""
    result = run()
    prepared.take(connection, str(name))
    return result


HANDLERS: dict[str, Callable[[Any, Run, Name], Any]] = {
    "commit": commit,
    "rollback": rollback,
    "rollback to": rollback_to,
    "prepare": prepare,
    "commit prepared": commit_prepared,
    "rollback prepared": rollback_prepared,
}
"""The function for a lone statement, by what it does to transactions."""


def run_several(connection: Any, run: Run, entries: Iterable[JournalEntry]) -> Any:
    """Run a text of several statements, some of which end transactions.

    It is unknown which changes are committed, so the models of all are reset: by a record that is
    stored before the text, and after it. `entries` are those of the text itself.
    """
    journal = journal_of(connection)
    resets = as_resets([*journal.entries(), *entries])
    held = take_held(connection)
    resets += resets_of_held(held)
    journal.clear()
    journal.add(resets)
    send = None if has_failed(connection) else flush(connection)
    try:
        return run()
    finally:
        journal.to_send += [each.send for each in held if each.stored]
        if send is not None:
            journal.to_send.append(send)
        if has_failed(connection):
            journal.clear()
        elif not is_in_transaction(connection):
            journal.clear()
            tell_now(connection, resets)
        send_committed(connection)


def _run(connection: Any, run: Run) -> Any:
    try:
        return run()
    except BaseException:
        # PostgreSQL rolls back when a commit fails. On SQLite the transaction stays open, and its
        # commit may be tried again.
        if connection.connection is not None and not is_in_transaction(connection):
            take_held(connection)
            journal_of(connection).clear()
        raise
