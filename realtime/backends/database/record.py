"""Records of the database backend as a reader finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.messages.codec import messages_of
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
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

    `position` is exact, for reading on; as a cursor for clients it may be too long.
    """

    records: Sequence[Record]
    position: Cursor
    more: bool


def needle(topic: Topic) -> str:
    """Return the text that every record with a message to `topic` contains."""
    return f'"{topic}"'


def record_of(payload: str, cursor: Cursor, place: int) -> Record:
    """Return the record with this text, whose position is `cursor`."""
    return Record(cursor, messages_of(payload, cursor), place)
