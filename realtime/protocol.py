"""The frames of protocol version 1, as types.

Frames are JSON text. Unknown fields are ignored, so that either side may add fields.
docs/reference/protocol.md explains each frame; `realtime.connections.handlers` dispatches them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from realtime.messages.message import Message

PROTOCOL = 1

WEBSOCKET_PATH = "ws/live/"
"""The path of websockets, below the script's prefix."""


class CloseCode(IntEnum):
    """Why the server closes a connection that it had accepted."""

    NOT_UNDERSTOOD = 4400
    NOT_AUTHENTICATED = 4401
    REFUSED = 4403
    SILENT = 4408
    TOO_LARGE = 4413
    TOO_MANY = 4429
    DRAINING = 4503
    FULL = 4504


class Frame(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """The base of all frames; `tag` is the frame's type on the wire."""


# -- client to server ------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True):
    """One subscription that a client asks for."""

    topic: str
    cursor: str | None = None
    ticket: str | None = None


class Subscribe(Frame, frozen=True, tag="subscribe"):
    """Subscribe to topics. A topic twice is one subscription; each of its cursors counts."""

    subscriptions: list[Wanted]


class Unsubscribe(Frame, frozen=True, tag="unsubscribe"):
    """Unsubscribe from topics. Unknown topics are ignored."""

    topics: list[str]


class ClientPing(Frame, frozen=True, tag="ping"):
    """Ask for a pong."""


class ClientPong(Frame, frozen=True, tag="pong"):
    """Answer the server's ping."""

    seq: int


# -- server to client ------------------------------------------------------------------------


class Welcome(Frame, frozen=True, tag="welcome"):
    """The first frame. `heartbeat` is in seconds."""

    protocol: int
    connection: str
    heartbeat: int | float


class At(msgspec.Struct, frozen=True):
    """The position of a subscription."""

    cursor: str


class Subscribed(Frame, frozen=True, tag="subscribed"):
    """The backend has confirmed: the client misses no message behind these cursors."""

    topics: dict[str, At]


class Rows(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of one model to reload, as text."""

    entered: list[str] = []
    updated: list[str] = []
    left: list[str] = []


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The changes of one topic up to `cursor`: rows by model label, or a reset's reason."""

    cursor: str | None = None
    changes: dict[str, Rows] | msgspec.UnsetType = msgspec.UNSET
    reset: str | msgspec.UnsetType = msgspec.UNSET


class Changed(Frame, frozen=True, tag="changed"):
    """Data of these topics changed: reload the rows named, or all after a reset."""

    topics: dict[str, Entry]


class Denied(Frame, frozen=True, tag="denied"):
    """These topics may not be watched. The reason is the same for all."""

    topics: dict[str, str]


class Revoked(Frame, frozen=True, tag="revoked"):
    """These topics may be watched no longer. No message of them follows."""

    topics: list[str]


class Ping(Frame, frozen=True, tag="ping"):
    """Ask the client whether it is alive, and how far it has read."""

    seq: int


class Pong(Frame, frozen=True, tag="pong"):
    """Answer the client's ping."""


class Error(Frame, frozen=True, tag="error"):
    """A frame was not understood: expected, got, what to do. `id` is the frame's, if it had one."""

    code: str
    message: str
    id: str | None = None


SERVER_FRAMES: tuple[type[Frame], ...] = (
    Welcome,
    Subscribed,
    Changed,
    Denied,
    Revoked,
    Ping,
    Pong,
    Error,
)

encode = msgspec.json.Encoder().encode


def changed(messages: Iterable[Message]) -> Changed:
    """Return the frame with these messages, at most one a topic."""
    return Changed({str(message.topic): entry_of(message) for message in messages})


def entry_of(message: Message) -> Entry:
    """Return a frame's entry for one message."""
    cursor = str(message.cursor) if message.cursor else None
    if message.reset is not None:
        return Entry(cursor, reset=message.reset)
    changes = {}
    for label, rows in message.changes.items():
        verbs: dict[str, list[str]] = {}
        for pk, verb in rows.items():
            verbs.setdefault(verb, []).append(pk)
        changes[label] = Rows(**verbs)
    return Entry(cursor, changes)
