"""What is pushed and kept: messages as JSON, with their numbers."""

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
"""Bytes of a message. One that is larger becomes a reset of its topic."""


class SentMessage(NamedTuple):
    """A message as a server has it.

    `number` counts up within the partition, and `before` is the number of the topic's message
    before this, or 0 where none is known. `commands` and `time` are the server's when it came.
    """

    number: int
    before: int
    commands: int
    time: int
    message: Message

    def behind(self, server: str) -> ServerPosition:
        """Return the position behind it, on the server that has it."""
        return ServerPosition(server, self.commands + 1, self.time + 1)


class NotPrimary(RedisError):
    """A replica answered: it has its primary's replication id, and counts for itself."""


class SinceReply(NamedTuple):
    """What a server says of a topic since a position.

    `position` is its now, `newest` the number of the topic's newest message or 0, `reason` that of
    a reset where the rest is not proven.
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
    """Read what came through a topic's channel; raise ValueError for what was not published."""
    number, before, commands, time, text = _decode(data)
    return SentMessage(number, before, commands, time, _message(topic, text))


def read_now(reply: list[Any]) -> ServerPosition:
    """Read what the script `now` returned; raise NotPrimary where a replica did."""
    *stands, role = reply
    if role != b"master":
        raise NotPrimary("the server is a replica now")
    return _position(*stands)


def read_since(topic: Topic, reply: list[Any]) -> SinceReply:
    """Read what the script `since` returned."""
    server, commands, time, newest, reason, *rest = reply
    sent = []
    for number, its_commands, its_time, text in zip(*[iter(rest)] * 4, strict=True):
        message = _message(topic, text)
        sent.append(SentMessage(int(number), 0, int(its_commands), int(its_time), message))
    return SinceReply(_position(server, commands, time), int(newest), reason.decode(), sent)


def _position(server: bytes, commands: bytes, time: bytes) -> ServerPosition:
    return ServerPosition(server[:SERVER].decode(), int(commands), int(time))


def _message(topic: Topic, text: bytes) -> Message:
    """Read a message; a reset stands for one that another program wrote and nobody can read."""
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
    """Something for the upstream, in the order in which it came.

    Each message has the position behind it, if its server is known to stand there. `joined` names
    topics that are live from here on, and `left` those that are not any more; `position` is where
    the server stands for all that are live.
    """

    address: Address
    messages: Sequence[tuple[Message, ServerPosition | None]] = ()
    joined: Sequence[tuple[Topic, str]] = ()
    left: Sequence[Topic] = ()
    position: ServerPosition | None = None
