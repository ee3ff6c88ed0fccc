"""The websocket at `/ws/live/`: frames in, frames out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from realtime.conf import conf
from realtime.connection import Connection
from realtime.frames import BadFrame, Received, handles, read_frame
from realtime.hub import get_hub
from realtime.protocol import (
    PROTOCOL,
    ClientPing,
    ClientPong,
    CloseCode,
    Error,
    Frame,
    Ping,
    Pong,
    Welcome,
    changed,
    encode,
)

logger = logging.getLogger("realtime.websocket")

MOST_WAITING = 16
"""A client's frames that wait while one before them is handled."""

INTERNAL_ERROR = 1011
"""The websocket protocol's own code for a server that failed."""


@handles(ClientPing, at_once=True)
async def answer_ping(connection: Connection, frame: ClientPing) -> None:
    """Say that the server is there."""
    await connection.send(Pong())


@handles(ClientPong, at_once=True)
async def note_pong(connection: Connection, frame: ClientPong) -> None:
    """Take a sign of life: the transport has noted when this frame came."""


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One client's websocket.

    Channels' own task reads the client's frames; a writer empties the mailbox; a heart beats; and
    while there are frames to handle, another task does so one by one. That one may wait for a rule
    or for the backend, and a server whose application does not read on takes the client for dead.
    When a task fails the socket is closed, and the client comes back with its cursors: it is told
    late, never left believing.
    """

    connection: Connection | None = None
    _ended = False

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Serve the socket; whatever ends it, let everything go."""
        self._tasks: list[asyncio.Task[None]] = []
        self._handling: asyncio.Task[None] | None = None
        self._waiting: deque[Received] = deque()
        self._seq = 0
        self._heard = asyncio.get_running_loop().time()
        try:
            await super().__call__(scope, receive, send)
        finally:
            tasks = [*self._tasks, *([self._handling] if self._handling else [])]
            for task in tasks:
                task.cancel()
            if self.connection is not None:
                await self.connection.let_go()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def connect(self) -> None:
        """Accept, and greet who is logged in."""
        user = self.scope.get("user")
        await self.accept()
        if not conf.ALLOW_ANONYMOUS and not getattr(user, "is_authenticated", False):
            await self._close_with(CloseCode.NOT_AUTHENTICATED)
            return
        self.connection = Connection(user, get_hub(), self._send_frame, self._close_with)
        try:
            await self._send_frame(Welcome(PROTOCOL, self.connection.id, conf.HEARTBEAT))
        except (OSError, RuntimeError):
            # Who left during the handshake is not there to be greeted: uvicorn calls that an error
            # of ours. The disconnect is on its way.
            self._ended = True
            return
        self._tasks = [self._spawn(self._write(self.connection)), self._spawn(self._beat())]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one frame of the client."""
        if self.connection is None or self._ended:
            return
        self._heard = asyncio.get_running_loop().time()
        try:
            received = self._read(text_data)
        except BadFrame as bad:
            await self._send_frame(bad.error)
            if bad.fatal:
                await self._close_with(CloseCode.NOT_UNDERSTOOD)
        except _TooLargeError:
            await self._close_with(CloseCode.TOO_LARGE)
        else:
            if received.at_once:
                await received.handler(self.connection, received.frame)
            else:
                await self._handle_in_turn(self.connection, received)

    async def _handle_in_turn(self, connection: Connection, received: Received) -> None:
        self._waiting.append(received)
        if self._handling is None or self._handling.done():
            self._handling = self._spawn(self._handle_waiting(connection))
        if len(self._waiting) > MOST_WAITING:
            # From a client that goes on nothing more is read until all of it is done.
            await asyncio.wait([self._handling])

    async def _handle_waiting(self, connection: Connection) -> None:
        while self._waiting and not self._ended:
            received = self._waiting.popleft()
            await received.handler(connection, received.frame)

    def _read(self, text: str | None) -> Received:
        if text is None:
            message = "expected JSON in a text frame, got a binary one"
            raise BadFrame(Error("not-text", message), fatal=True)
        if len(text) > conf.MAX_FRAME_BYTES or len(text.encode()) > conf.MAX_FRAME_BYTES:
            raise _TooLargeError
        return read_frame(text)

    async def _write(self, connection: Connection) -> None:
        while True:
            messages = await connection.mailbox.take()
            await self._send_frame(changed(messages))
            connection.note_told(messages)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(conf.HEARTBEAT)
            if asyncio.get_running_loop().time() - self._heard > conf.SILENCE:
                await self._close_with(CloseCode.SILENT)
                return
            self._seq += 1
            await self._send_frame(Ping(self._seq))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(self._or_close(work))

    async def _or_close(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OSError:
            # The client is gone, which some servers say here; its disconnect is on its way.
            return
        except Exception:
            logger.exception("a task of a connection failed; the connection is closed")
            await self._end(INTERNAL_ERROR)

    async def _send_frame(self, frame: Frame) -> None:
        if not self._ended:
            await self.send(text_data=encode(frame).decode())

    async def _close_with(self, code: CloseCode) -> None:
        # Servers insist on a plain int.
        await self._end(int(code))

    async def _end(self, code: int) -> None:
        """Close, once. What still comes or waits is passed over: servers raise for more."""
        if not self._ended:
            self._ended = True
            await self.close(code)


class _TooLargeError(Exception):
    """A frame is over the limit."""
