"""Messages: which rows of a topic changed, or a reset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Literal, get_args

from realtime.exceptions import InvalidMessage
from realtime.messages.cursors import Cursor
from realtime.messages.topics import Topic

Verb = Literal["entered", "updated", "left"]
Changes = Mapping[str, Mapping[str, Verb]]

VERBS: frozenset[str] = frozenset(get_args(Verb))


class Reset(StrEnum):
    """The reason for reloading a whole topic. A client also reloads for an unknown reason."""

    HISTORY_EXPIRED = "history-expired"
    BACKEND_RESTART = "backend-restart"
    OVERFLOW = "overflow"
    BULK = "bulk"
    RAW_SQL = "raw-sql"
    NO_REPLAY = "no-replay"
    UNKNOWN_CURSOR = "unknown-cursor"
    ACCESS = "access"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Message:
    """The changes of one topic, or a reset.

    `changes` is `{model label: {pk as text: verb}}`. `reset`, if given, is the reason for reloading
    the whole topic. `cursor` is the position behind this message; the backend sets it. `extra` is
    opaque here and never leaves the servers.

    Messages are idempotent and commutative: see `realtime.messages.merge`.
    """

    topic: Topic
    changes: Changes = field(default_factory=dict)
    reset: str | None = None
    cursor: Cursor | None = None
    extra: object = None

    def __post_init__(self) -> None:
        # Callers may pass the topic as text; all later code has a Topic.
        if type(self.topic) is not Topic:
            object.__setattr__(self, "topic", Topic(self.topic))
        if self.reset is not None and (not isinstance(self.reset, str) or not self.reset):
            raise InvalidMessage(f"expected a reset's reason as text, or None, got {self.reset!r}")
        for label, rows in self.changes.items():
            _check_rows(label, rows)


def checked(
    topic: Topic, changes: Changes, reset: str | None = None, cursor: Cursor | None = None
) -> Message:
    """Make a message from parts of other messages, whose rows were validated there."""
    message = object.__new__(Message)
    for name, value in zip(_FIELDS, (topic, changes, reset, cursor, None), strict=True):
        object.__setattr__(message, name, value)
    return message


_FIELDS = tuple(each.name for each in fields(Message))


def _check_rows(label: object, rows: object) -> None:
    if not isinstance(label, str) or not isinstance(rows, Mapping):
        raise InvalidMessage(
            f"expected changes like {{'app.model': {{'17': 'updated'}}}}, got {label!r}: {rows!r}"
        )
    for pk, verb in rows.items():
        if not isinstance(pk, str) or verb not in VERBS:
            raise InvalidMessage(
                f"expected a pk as text and one of {sorted(VERBS)} for {label},"
                f" got {pk!r}: {verb!r}"
            )
