"""Read a websocket client's frames: check them, limit their rate, handle them in order."""

from __future__ import annotations

import asyncio

from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.handlers import BadFrame, Received, read_frame
from realtime.protocol import CloseCode, Error
from realtime.transports.rate_limit import RateLimit

MOST_WAITING = 16
"""A client's frames that may wait while an earlier one is handled."""


class FrameReader:
    """One client's frames. Owner: the server's task of the socket.

    While frames wait, a second task handles them one by one. That task may wait for a rule or for
    the backend, and the first must read on meanwhile: a server whose application does not read
    takes the client for dead. An idle client has no other task.
    """

    # See decision 13.
    __slots__ = ("_connection", "_ended", "_handling", "_rate", "_waiting")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ended = False
        self._handling: asyncio.Task[None] | None = None
        self._rate = RateLimit(conf.MAX_FRAMES_A_SECOND)
        self._waiting: list[Received] = []  # not a deque: see decision 13

    async def take(self, text: str | None) -> None:
        """Take one frame; None is a binary one. Return once the next may be read."""
        connection = self._connection
        if self._rate.is_too_many(conf.MAX_FRAMES_A_SECOND):
            await connection.close(CloseCode.TOO_MANY)
            return
        try:
            received = _read(text)
        except BadFrame as bad:
            await connection.send(bad.error)
            if bad.fatal:
                await connection.close(CloseCode.NOT_UNDERSTOOD)
        except _TooLargeError:
            await connection.close(CloseCode.TOO_LARGE)
        else:
            if received.at_once:
                await received.handler(connection, received.frame)
            else:
                await self._handle_in_turn(received)

    def end(self) -> None:
        """Handle no further frames; the one that is being handled continues."""
        self._ended = True

    def cancel(self) -> list[asyncio.Task[None]]:
        """End, and cancel the task that handles frames; return it, to be waited for."""
        self.end()
        if self._handling is None:
            return []
        self._handling.cancel()
        return [self._handling]

    async def _handle_in_turn(self, received: Received) -> None:
        self._waiting.append(received)
        if self._handling is None:
            self._handling = asyncio.create_task(self._handle_waiting())
        if len(self._waiting) > MOST_WAITING:
            # From a client that goes on no frame is read until all of its frames are handled.
            await asyncio.wait([self._handling])

    async def _handle_waiting(self) -> None:
        try:
            while self._waiting and not self._ended:
                received = self._waiting.pop(0)
                await received.handler(self._connection, received.frame)
        except Exception as error:
            self._connection.transport.fail(error)
        finally:
            self._handling = None


def _read(text: str | None) -> Received:
    if text is None:
        message = "expected JSON in a text frame, got a binary one"
        raise BadFrame(Error("not-text", message), fatal=True)
    if len(text.encode(errors="surrogatepass")) > conf.MAX_FRAME_BYTES:
        raise _TooLargeError
    return read_frame(text)


class _TooLargeError(Exception):
    """A frame is larger than MAX_FRAME_BYTES."""
