"""Frames as server-sent events: the event's name is the frame's type."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.protocol import Frame, encode


@dataclass(slots=True)
class Event:
    """One event. `data` is JSON, which has no line breaks; `bytes(event)` goes over the wire."""

    name: str
    data: bytes
    id: str | None = None
    retry: int | None = None
    """Milliseconds after which a browser that lost the stream asks for another."""

    def __bytes__(self) -> bytes:
        fields = [("id", self.id), ("retry", self.retry), ("event", self.name)]
        lines = [f"{name}: {value}\n".encode() for name, value in fields if value is not None]
        return b"".join([*lines, b"data: ", self.data, b"\n\n"])


def event_of(frame: Frame) -> Event:
    """Return what tells a frame: its topics, or all of it where it has none."""
    return Event(str(frame.__struct_config__.tag), encode(getattr(frame, "topics", frame)))


def closed(code: int, retry: int | None = None) -> Event:
    """Return the last event of a stream that the server ends, with a websocket's close code."""
    return Event("closed", encode({"code": code}), retry=retry)
