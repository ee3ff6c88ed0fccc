"""The registry of frame handlers: type of frame -> the code that answers it.

Other packages add handlers of their own frames. Handlers receive only frames that fit their type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from realtime.protocol import Error, Frame
from realtime.registry import Registry

F = TypeVar("F", bound=Frame)
Handler = Callable[[Any, F], Awaitable[None]]
"""Called as `await handler(connection, frame)`."""


@dataclass(frozen=True, slots=True)
class _Kind:
    decode: Callable[[bytes | str], Frame]
    handler: Handler[Any]
    at_once: bool


_kinds: Registry[_Kind] = Registry("handler of frames")


def handles(frame: type[F], *, at_once: bool = False) -> Callable[[Handler[F]], Handler[F]]:
    """Register the decorated coroutine function as the handler of `frame`s from clients.

    Handlers of one connection run one at a time, in the order of the frames. A handler with
    `at_once` runs beside one that waits. Raise AlreadyRegistered if the type has a handler.
    """

    def register(handler: Handler[F]) -> Handler[F]:
        name = frame.__struct_config__.tag
        assert isinstance(name, str)
        _kinds[name] = _Kind(msgspec.json.Decoder(frame).decode, handler, at_once)
        return handler

    return register


def client_frames() -> frozenset[str]:
    """Return the types of frames that have a handler."""
    return frozenset(_kinds)


class BadFrame(Exception):
    """A client's frame cannot be handled; `error` is the frame that tells the client why.

    `fatal` if the text is no JSON object: the connection closes.
    """

    def __init__(self, error: Error, *, fatal: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.fatal = fatal


_decode_any = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Received:
    """A client's frame with its handler."""

    frame: Frame
    handler: Handler[Any]
    at_once: bool


def read_frame(text: str) -> Received:
    """Return a client's frame with its handler, or raise BadFrame."""
    try:
        fields = _decode_any(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        message = "expected a JSON object with a 'type', got something else"
        raise BadFrame(Error("not-json", message), fatal=True) from error
    given, name = fields.get("id"), fields.get("type")
    frame_id = given if isinstance(given, str) else None
    kind = _kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(_kinds))
        message = f"expected a type of {known}, got {name!r:.80}"
        raise BadFrame(Error("unknown-type", message, frame_id))
    try:
        return Received(kind.decode(text), kind.handler, kind.at_once)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise BadFrame(Error("bad-field", f"in {name!r}: {error}", frame_id)) from error
