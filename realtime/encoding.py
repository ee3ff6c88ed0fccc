"""Frames as the text that goes over the wire. What many clients are told is encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime.messages import Message
from realtime.once import Once
from realtime.protocol import Frame, changed, encode, entry_of


def encode_text(frame: Frame) -> str:
    """Return a frame as text."""
    return encode(frame).decode()


def text_of(messages: Sequence[Message]) -> str:
    """Return the `changed` frame that tells of messages, at most one a topic, as text."""
    if len(messages) == 1:
        return _frame_of(messages[0])
    entries = {str(message.topic): _entry(message) for message in messages}
    return encode(_Prepared(entries)).decode()


class _Prepared(msgspec.Struct, frozen=True, tag_field="type", tag="changed"):
    """A `changed` frame whose entries are encoded already."""

    topics: dict[str, msgspec.Raw]


_entry = Once(lambda message: msgspec.Raw(encode(entry_of(message))))
_frame_of = Once(lambda message: encode_text(changed([message])))
