"""Notice that a transaction has ended unseen: the driver is idle, and the journal is not empty.

Code can end a transaction beside Django: by the driver's own `commit()`, by SQLite's
`executescript()`, or in a text that hides it. It is then unknown whether the changes were committed
or rolled back, so their models are reset. The driver's state is compared at each statement that
runs through Django, and at the end of Django's blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from invalidation.changes import JournalEntry
from invalidation.transactions.commit import flush
from invalidation.transactions.driver_state import is_in_transaction
from invalidation.transactions.journal import Held, as_resets, journal_of
from invalidation.transactions.sending import close_journal, send_committed

logger = logging.getLogger("invalidation.transactions")


def settle(connection: Any) -> None:
    """Reset what a transaction has changed, if it has ended unseen."""
    journal = journal_of(connection)
    if (
        journal.is_open
        and not journal.is_ending
        and connection.connection is not None
        and not connection.closed_in_transaction
        and not is_in_transaction(connection)
    ):
        entries = as_resets(journal.entries())
        held = take_held(connection)
        journal.to_send += [each.send for each in held if each.stored]
        journal.clear()
        tell_now(connection, [*entries, *resets_of_held(held)])


def take_held(connection: Any) -> list[Held]:
    """Return the messages held for the end of the transaction, and hold them no longer."""
    journal = journal_of(connection)
    held, journal.held = journal.held, []
    return held


def resets_of_held(held: Iterable[Held]) -> list[JournalEntry]:
    """Return the resets of what was sent before the end of its transaction was known."""
    return as_resets(entry for each in held if not each.stored for entry in each.entries)


def tell_now(connection: Any, entries: Iterable[JournalEntry]) -> None:
    """Store and send messages in a transaction of their own, on an idle connection.

    Django may be in an atomic block. The changes are committed, or may be, so the code that made
    them does not receive an error.
    """
    journal = journal_of(connection)
    journal.add(entries)
    # Django refuses queries in a block that must roll back, but this one is not of the block.
    refuses, connection.needs_rollback = connection.needs_rollback, False
    journal.is_ending = True
    try:
        send = flush(connection)
        if is_in_transaction(connection):
            connection._commit()
        close_journal(connection, send)
    except Exception:
        logger.exception("changes of a transaction that was ended by hand could not be told")
        journal.clear()
        if connection.connection is not None and is_in_transaction(connection):
            connection._rollback()
    finally:
        journal.is_ending = False
        connection.needs_rollback = refuses
    send_committed(connection)
