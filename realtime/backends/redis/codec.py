"""What is pushed and kept: messages as JSON, with their numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import RedisError

from realtime.backends.redis.positions import SERVER, Mark
from realtime.backends.redis.topology import Address
from realtime.exceptions import InvalidMessage, InvalidTopic
from realtime.messages.codec import StoredMessage, message_of, stored
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

LARGEST = 1_000_000
"""Bytes of a message. One that is larger becomes a reset of its topic."""


class Sent(NamedTuple):
    """A message as a server has it.

    `number` counts up within the partition, and `before` is the number of the topic's message
    before this, or 0 where none is known. `commands` and `time` are the server's when it came.
    """

    number: int
    before: int
    commands: int
    time: int
    message: Message

    def behind(self, server: str) -> Mark:
        """Return the position behind it, on the server that has it."""
        return Mark(server, self.commands + 1, self.time + 1)


class NotPrimary(RedisError):
    """A replica answered: it has its primary's replication id, and counts for itself."""


class Answer(NamedTuple):
    """What a server says of a topic since a position.

    `mark` is its now, `newest` the number of the topic's newest message or 0, `reason` that of a
    reset where the rest is not proven.
    """

    mark: Mark
    newest: int
    reason: str
    sent: list[Sent]


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


def read_push(topic: Topic, data: bytes) -> Sent:
    """Read what came through a topic's channel; raise ValueError for what was not published."""
    number, before, commands, time, text = _decode(data)
    return Sent(number, before, commands, time, _message(topic, text))


def read_now(reply: list[Any]) -> Mark:
    """Read what the script `now` returned; raise NotPrimary where a replica did."""
    *stands, role = reply
    if role != b"master":
        raise NotPrimary("the server is a replica now")
    return _mark(*stands)


def read_answer(topic: Topic, reply: list[Any]) -> Answer:
    """Read what the script `since` returned."""
    server, commands, time, newest, reason, *rest = reply
    sent = []
    for number, its_commands, its_time, text in zip(*[iter(rest)] * 4, strict=True):
        message = _message(topic, text)
        sent.append(Sent(int(number), 0, int(its_commands), int(its_time), message))
    return Answer(_mark(server, commands, time), int(newest), reason.decode(), sent)


def _mark(server: bytes, commands: bytes, time: bytes) -> Mark:
    return Mark(server[:SERVER].decode(), int(commands), int(time))


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
class Heard:
    """Something for the upstream, in the order in which it came.

    Each message has the position behind it, if its server is known to stand there. `joined` names
    topics that are live from here on, and `left` those that are not any more; `mark` is where the
    server stands for all that are live.
    """

    address: Address
    messages: Sequence[tuple[Message, Mark | None]] = ()
    joined: Sequence[tuple[Topic, str]] = ()
    left: Sequence[Topic] = ()
    mark: Mark | None = None
