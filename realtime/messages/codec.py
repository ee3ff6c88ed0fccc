"""Messages as JSON text, in the form that backends store and send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Verb
from realtime.messages.topics import Topic


class StoredMessage(msgspec.Struct, omit_defaults=True):
    """A message in the form that backends store and send."""

    topic: str
    changes: dict[str, dict[str, Verb]] = {}
    reset: str | None = None
    extra: Any = None


_decode = msgspec.json.Decoder(list[StoredMessage]).decode


def payload_of(messages: Sequence[Message]) -> str:
    """Return messages as the text of a record."""
    return msgspec.json.encode([stored(message) for message in messages]).decode()


def messages_of(payload: str, cursor: Cursor | None) -> tuple[Message, ...]:
    """Read the messages of a record's text, each with the position `cursor`."""
    return tuple(message_of(item, cursor) for item in _decode(payload))


def message_of(item: StoredMessage, cursor: Cursor | None) -> Message:
    """Return a stored message as a Message with the position `cursor`."""
    return Message(Topic(item.topic), item.changes, item.reset, cursor, item.extra)


def stored(message: Message) -> StoredMessage:
    """Return a message in its stored form."""
    changes = {label: dict(rows) for label, rows in message.changes.items()}
    return StoredMessage(str(message.topic), changes, message.reset, message.extra)
