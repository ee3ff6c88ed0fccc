"""Encode frames as JSON text; a message for many clients is encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime.messages.identity_cache import IdentityCache
from realtime.messages.message import Message
from realtime.protocol import Frame, changed, encode, entry_of


def encode_text(frame: Frame) -> str:
    """Return a frame as JSON text."""
    return encode(frame).decode()


def text_of(messages: Sequence[Message]) -> str:
    """Return the `changed` frame with these messages, at most one a topic, as JSON text."""
    if len(messages) == 1:
        return _frame_of(messages[0])
    return encode(_Prepared(_entries(messages))).decode()


def topics_of(messages: Sequence[Message]) -> msgspec.Raw:
    """Return only the `topics` object of that frame, as JSON."""
    return msgspec.Raw(encode(_entries(messages)))


def _entries(messages: Sequence[Message]) -> dict[str, msgspec.Raw]:
    return {str(message.topic): _entry(message) for message in messages}


class _Prepared(msgspec.Struct, frozen=True, tag_field="type", tag="changed"):
    """A `changed` frame whose entries are encoded already."""

    topics: dict[str, msgspec.Raw]


_entry = IdentityCache(lambda message: msgspec.Raw(encode(entry_of(message))))
_frame_of = IdentityCache(lambda message: encode_text(changed([message])))
