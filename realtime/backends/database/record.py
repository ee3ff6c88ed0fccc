"""Records of the database backend in the form that a reader returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.messages.codec import messages_of
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic

BATCH = 500
"""Records that are read at once, so that a long backlog uses bounded memory."""


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record: its position and its messages, each with that position.

    `place` orders the records of its database, and looks them up.
    """

    cursor: Cursor
    messages: tuple[Message, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a read: the records, the position behind them, and if more wait.

    `position` is exact, for reading on; it may be too long for a client's cursor.
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
