"""Sending messages when a transaction commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, transaction

from realtime.backends import get_pubsub
from realtime.exceptions import InvalidMessage
from realtime.messages.message import Message
from realtime.telemetry import note_published


def publish(messages: Iterable[Message], using: str | None = None) -> None:
    """Send messages to the clients that watch their topics.

    Inside a transaction on the database `using` they are sent when it commits, and dropped if it
    rolls back. Outside a transaction they are sent at once. A backend that stores messages stores
    them in that transaction. Any other backend sends them in an `on_commit` hook, so they are lost
    if an earlier hook raises; with autocommit off, Django refuses the hook with a
    TransactionManagementError. Raise InvalidMessage for anything that is not a Message.
    """
    alias = using or DEFAULT_DB_ALIAS
    connection = transaction.get_connection(alias)
    send = prepare(messages, alias)
    if connection.in_atomic_block:
        transaction.on_commit(send, using=alias, robust=True)
    elif connection.get_autocommit():
        send()
    elif not get_pubsub().stores_on(alias):
        # Raises Django's own error: with autocommit off Django does not report the commit.
        transaction.on_commit(send, using=alias)


async def apublish(messages: Iterable[Message], using: str | None = None) -> None:
    """Send messages, from async code. See `publish()`."""
    await sync_to_async(publish)(messages, using)


def prepare(messages: Iterable[Message], using: str) -> Callable[[], None]:
    """Take messages within the current transaction; return a function to call after its commit.

    For a caller that knows when that is. A backend that stores messages stores them here.
    """
    sending = list(messages)
    for message in sending:
        if not isinstance(message, Message):
            raise InvalidMessage(f"expected a Message, got {message!r}")
    note_published(sending)
    return get_pubsub().prepare(sending, using)
