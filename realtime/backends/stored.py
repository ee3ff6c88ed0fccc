"""Messages as they stand in a record, and records as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Verb
from realtime.messages.topics import Topic

BATCH = 500
"""Records read at once, so that a long backlog costs bounded memory."""


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record as read: its position and its messages, each with that position.

    `place` is what the records of its database are ordered and looked up by.
    """

    cursor: Cursor
    messages: tuple[Message, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was read behind a position: the records, the position behind them, whether more wait.

    `position` is exact, for who reads on; as a cursor to be given out it may be too long.
    """

    records: Sequence[Record]
    position: Cursor
    more: bool


class StoredMessage(msgspec.Struct, omit_defaults=True):
    """A message as it stands in a record."""

    topic: str
    changes: dict[str, dict[str, Verb]] = {}
    reset: str | None = None
    extra: Any = None


def needle(topic: Topic) -> str:
    """Return what stands in the text of every record with a message to `topic`."""
    return f'"{topic}"'


_decode = msgspec.json.Decoder(list[StoredMessage]).decode


def payload_of(messages: Sequence[Message]) -> str:
    """Return messages as the text of a record."""
    return msgspec.json.encode([stored(message) for message in messages]).decode()


def record_of(payload: str, cursor: Cursor, place: int) -> Record:
    """Return the record with this text, whose position is `cursor`."""
    return Record(
        cursor,
        tuple(message_of(item, cursor) for item in _decode(payload)),
        place,
    )


def message_of(item: StoredMessage, cursor: Cursor | None) -> Message:
    """Return what was stored as a message again."""
    return Message(Topic(item.topic), item.changes, item.reset, cursor, item.extra)


def stored(message: Message) -> StoredMessage:
    """Return a message as it is stored."""
    changes = {label: dict(rows) for label, rows in message.changes.items()}
    return StoredMessage(str(message.topic), changes, message.reset, message.extra)
