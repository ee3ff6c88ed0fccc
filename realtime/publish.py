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
    """Send messages to whoever watches their topics.

    Inside a transaction on the database `using` they go out when it commits, and not at all if it
    rolls back; outside one, at once. With a backend that stores, they are stored in that
    transaction. With any other they are sent by an `on_commit` hook, and lost if an earlier hook
    raises; and with autocommit off they are refused by a TransactionManagementError.
    Raise InvalidMessage for anything that is not a Message.
    """
    alias = using or DEFAULT_DB_ALIAS
    connection = transaction.get_connection(alias)
    send = prepare(messages, alias)
    if connection.in_atomic_block:
        transaction.on_commit(send, using=alias, robust=True)
    elif connection.get_autocommit():
        send()
    elif not get_pubsub().stores_on(alias):
        # Django's own error: with autocommit off nobody tells when the commit is.
        transaction.on_commit(send, using=alias)


async def apublish(messages: Iterable[Message], using: str | None = None) -> None:
    """Send messages, from async code. See `publish()`."""
    await sync_to_async(publish)(messages, using)


def prepare(messages: Iterable[Message], using: str) -> Callable[[], None]:
    """Take messages within the current transaction; return what to call once it has committed.

    For a caller that knows when that is. A backend that stores messages does so here.
    """
    sending = list(messages)
    for message in sending:
        if not isinstance(message, Message):
            raise InvalidMessage(f"expected a Message, got {message!r}")
    note_published(sending)
    return get_pubsub().prepare(sending, using)
