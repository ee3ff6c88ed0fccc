"""Send the messages of committed transactions."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db.backends.base.base import BaseDatabaseWrapper

from invalidation.transactions.journal import journal_of

logger = logging.getLogger("invalidation.transactions")


def close_journal(connection: BaseDatabaseWrapper, send: Callable[[], None] | None) -> None:
    """Clear the journal after a commit, and keep the function that sends its messages."""
    journal = journal_of(connection)
    journal.clear()
    if send is not None:
        journal.to_send.append(send)


def send_committed(connection: BaseDatabaseWrapper) -> None:
    """Send the messages of committed transactions; a receiver that writes sends its own."""
    to_send = journal_of(connection).to_send
    while to_send:
        send = to_send.pop(0)
        try:
            send()
        except Exception:
            # The change is committed; the code that wrote it must not receive this error.
            logger.exception("a committed change could not be sent")
