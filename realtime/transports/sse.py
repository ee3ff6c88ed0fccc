"""Server-sent events at `live/sse/`: the websocket's messages, for clients that have only HTTP.

The client cannot answer, and some servers (daphne) accept all data and keep it in memory. So a
stream ends by itself, after so many bytes or seconds. A browser reconnects with the id of the last
event, and misses nothing. So a client that does not read costs a bounded amount of memory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.encode import topics_of
from realtime.protocol import PROTOCOL, CloseCode, Frame, Welcome, encode
from realtime.telemetry import counters
from realtime.transports.errors import json_errors, refuse_foreign
from realtime.transports.http import HttpTransport, release_thread
from realtime.transports.request import Parameters, read

CUT_AFTER = 10.0
"""Seconds that a stream that is over waits for a client that does not read."""

RETRY = (500, 2_500)
"""Milliseconds after which a browser reconnects: from and to, so that not all do at once."""

RETRY_DRAINING = (1_000, 10_000)
"""The same for a draining process, whose clients all reconnect."""

HEADERS = {"X-Accel-Buffering": "no", "Content-Encoding": "identity"}
"""Proxies must not buffer or compress events.

Django's GZipMiddleware skips responses that have an encoding. It would compress each chunk by
itself, and browsers read only the first of these.
"""


@json_errors
async def stream_events(request: HttpRequest) -> HttpResponseBase:
    """Answer `GET live/sse/?topic=…` with a stream of events."""
    refuse_foreign(request)
    stream = EventStream(read(request))
    try:
        body = await stream.open(request)
    except BaseException:
        await stream.let_go()
        raise
    return StreamingHttpResponse(body, content_type="text/event-stream", headers=HEADERS)


class EventStream(HttpTransport):
    """One client's stream. The server's task takes chunks from it, as fast as the client reads."""

    name = "sse"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._reader: asyncio.Task[object] | None = None
        """The server's task that takes chunks; it may wait for a client that does not read."""
        self._timers: list[asyncio.TimerHandle] = []
        self._ending: asyncio.Task[None] | None = None
        self._is_due = False
        """True if a heartbeat is due."""
        self._has_said_closed = False
        self.sent = 0

    async def open(self, request: HttpRequest) -> AsyncIterator[bytes]:
        """Admit the client, and return its chunks; raise Refused."""
        connection = await self.enter(request)
        self.frames.insert(0, Welcome(PROTOCOL, connection.id, conf.HEARTBEAT))
        self._in(conf.HANDSHAKE_TIMEOUT, self._end_unread)
        seconds = conf.SSE_SECONDS * random.uniform(0.8, 1)  # noqa: S311 -- jitter
        self._in(seconds, lambda: self.end(None))
        return _Body(self)

    async def next_chunk(self) -> bytes | None:
        """Wait until there is data to send, and return it; None at the end."""
        try:
            if self._reader is None:
                await release_thread()
            self._reader = asyncio.current_task()
            while not (chunk := self._chunk()) and not self.is_over:
                self.news.clear()
                await self.news.wait()
        except BaseException:
            # Mostly the server's cancellation, when its client is gone.
            await self.let_go()
            raise
        if not chunk:
            await self.let_go()
            return None
        self.sent += len(chunk)
        if self.sent >= conf.SSE_MAX_BYTES:
            self.end(None)
        return chunk

    def end(self, code: int | None) -> None:
        """Mark this as over; a client that does not take the rest is cut off."""
        if not self.is_over:
            super().end(code)
            self._in(CUT_AFTER, self._cut)

    def end_soon(self) -> None:
        """Start to release all resources."""
        if self._ending is None and not self._is_gone:
            self._ending = self._loop.create_task(self.let_go())

    async def let_go(self) -> None:
        """End, and release all resources."""
        self.is_over = True
        for timer in self._timers:
            timer.cancel()
        await super().let_go()

    def beat(self) -> None:
        """Send a heartbeat, which also detects that the client is gone."""
        if self._server.connections.draining and not self.is_over:
            counters.closed[CloseCode.DRAINING] += 1
            self.end(int(CloseCode.DRAINING))
        self._is_due = True
        self.news.set()

    def facts(self) -> dict[str, object]:
        """Return facts for operators."""
        return {**super().facts(), "sent": self.sent}

    # -- chunks -------------------------------------------------------------------------------

    def _chunk(self) -> bytes:
        """Return all that there is to send now."""
        assert self._connection is not None
        try:
            events = self._farewell() if self.is_over else self._news(self._connection)
            sign = b":\n\n" if self._is_due and not events else b""
            self._is_due = False
            return b"".join([*map(bytes, events), sign])
        except Exception as error:
            # The messages taken are lost with this stream; its id was not advanced.
            self.fail(error)
            return b"".join(map(bytes, self._farewell()))

    def _news(self, connection: Connection) -> list[Event]:
        events = self._frames()
        if messages := connection.mailbox.take_now():
            connection.note_told(messages)
            events.append(Event("changed", bytes(topics_of(messages))))
        position = self.position() if events else None
        if position is not None:
            # These events hold all messages before the position; only the last may carry it.
            events[-1].id = str(position)
        return events

    def _frames(self) -> list[Event]:
        frames, self.frames = self.frames, []
        events = [event_of(frame) for frame in frames]
        if events and not self.sent:
            # The first event has an id already. So a client that came without a cursor, and is cut
            # off before it has a better one, is told to reload.
            events[0].id = self.parameters.since
            events[0].retry = _between(RETRY)
        return events

    def _farewell(self) -> list[Event]:
        """Return the reason of the end, once; a client that is closed gets no waiting messages."""
        if self.code is None or self._has_said_closed:
            return []
        self._has_said_closed = True
        draining = self.code == CloseCode.DRAINING
        retry = _between(RETRY_DRAINING) if draining else None
        return [*self._frames(), closed(self.code, retry)]

    # -- the end ------------------------------------------------------------------------------

    def _cut(self) -> None:
        """Abandon a client that does not read: the server's task waits for it, with a chunk."""
        if self._reader is not None and not self._is_gone:
            self._reader.cancel()
        self.end_soon()

    def _end_unread(self) -> None:
        """Release everything if no chunk was taken: middleware has answered otherwise."""
        if self._reader is None:
            self.end_soon()

    def _in(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, call))


class _Body:
    """A stream's chunks, as an iterator for Django, which closes it after the response."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._stream.next_chunk()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        """Release all resources; from any thread."""
        with suppress(RuntimeError):  # a closed loop has released them
            self._loop.call_soon_threadsafe(self._stream.end_soon)


def _between(bounds: tuple[int, int]) -> int:
    return random.randint(*bounds)  # noqa: S311 -- jitter


@dataclass(slots=True)
class Event:
    """One event.

    `data` is JSON, which has no line breaks; `bytes(event)` is its text on the wire.
    """

    name: str
    data: bytes
    id: str | None = None
    retry: int | None = None
    """Milliseconds after which a browser that lost the stream reconnects."""

    def __bytes__(self) -> bytes:
        fields = [("id", self.id), ("retry", self.retry), ("event", self.name)]
        lines = [f"{name}: {value}\n".encode() for name, value in fields if value is not None]
        return b"".join([*lines, b"data: ", self.data, b"\n\n"])


def event_of(frame: Frame) -> Event:
    """Return the event of a frame: its topics, or the whole frame if it has none."""
    return Event(str(frame.__struct_config__.tag), encode(getattr(frame, "topics", frame)))


def closed(code: int, retry: int | None = None) -> Event:
    """Return the last event of a stream that the server ends, with a websocket's close code."""
    return Event("closed", encode({"code": code}), retry=retry)
