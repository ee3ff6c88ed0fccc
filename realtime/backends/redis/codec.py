"""The messages that Redis pushes and stores: JSON, with their numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import RedisError

from realtime.backends.redis.positions import SERVER, ServerPosition
from realtime.backends.redis.topology import Address
from realtime.exceptions import InvalidMessage, InvalidTopic
from realtime.messages.codec import StoredMessage, message_of, stored
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

LARGEST = 1_000_000
"""Bytes of a message at most. A larger message becomes a reset of its topic."""


class SentMessage(NamedTuple):
    """A message as a server stores it.

    `number` counts up within the partition. `before` is the number of the topic's previous message,
    or 0 if none is known. `commands` and `time` are the server's when the message arrived.
    """

    number: int
    before: int
    commands: int
    time: int
    message: Message

    def behind(self, server: str) -> ServerPosition:
        """Return the position behind this message, on the server that stores it."""
        return ServerPosition(server, self.commands + 1, self.time + 1)


class NotPrimary(RedisError):
    """A replica answered. It has its primary's replication id, but counts commands for itself."""


class SinceReply(NamedTuple):
    """A server's reply to the script `since`: a topic's messages behind a position.

    `position` is the server's now. `newest` is the number of the topic's newest message or 0.
    `reason` is that of a reset, if completeness is not proven, else empty.
    """

    position: ServerPosition
    newest: int
    reason: str
    sent: list[SentMessage]


logger = logging.getLogger("realtime.redis")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, int, int, int, msgspec.Raw]).decode
_decode_message = msgspec.json.Decoder(StoredMessage).decode


def text_of(message: Message) -> bytes:
    """Return a message as it is sent, or raise InvalidMessage for one that is too large."""
    text = _encode(stored(message))
    if len(text) > LARGEST:
        raise InvalidMessage(f"expected a message of at most {LARGEST} bytes, got {len(text)}")
    return text


def read_push(topic: Topic, data: bytes) -> SentMessage:
    """Read a push from a topic's channel; raise ValueError if it has another format."""
    number, before, commands, time, text = _decode(data)
    return SentMessage(number, before, commands, time, _message(topic, text))


def read_now(reply: list[Any]) -> ServerPosition:
    """Read the reply to the script `now`; raise NotPrimary if a replica sent it."""
    *stands, role = reply
    if role != b"master":
        raise NotPrimary("the server is a replica now")
    return _position(*stands)


def read_since(topic: Topic, reply: list[Any]) -> SinceReply:
    """Read the reply to the script `since`."""
    server, commands, time, newest, reason, *rest = reply
    sent = []
    for number, its_commands, its_time, text in zip(*[iter(rest)] * 4, strict=True):
        message = _message(topic, text)
        sent.append(SentMessage(int(number), 0, int(its_commands), int(its_time), message))
    return SinceReply(_position(server, commands, time), int(newest), reason.decode(), sent)


def _position(server: bytes, commands: bytes, time: bytes) -> ServerPosition:
    return ServerPosition(server[:SERVER].decode(), int(commands), int(time))


def _message(topic: Topic, text: bytes) -> Message:
    """Read a message; return a reset for one that another program wrote in an unknown format."""
    try:
        item = _decode_message(text)
        if item.topic != topic:
            raise InvalidTopic(f"expected a message to {topic}, got one to {item.topic!r:.80}")
        return message_of(item, None)
    except ValueError:
        logger.exception("cannot read a message to %s; it is reset", topic)
        return Message(topic, reset=Reset.SERVER)


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """An event of a node for the upstream, in the order of arrival.

    Each message has the position behind it, if its server is known to be there. `joined` names
    topics that are live from here on, each with its server; `left` names topics that no longer are.
    `position` is the server's position for all live topics.
    """

    address: Address
    messages: Sequence[tuple[Message, ServerPosition | None]] = ()
    joined: Sequence[tuple[Topic, str]] = ()
    left: Sequence[Topic] = ()
    position: ServerPosition | None = None
