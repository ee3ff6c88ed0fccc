"""The websocket at `/ws/live/`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any

from realtime.access.identity import Identity
from realtime.concurrency import end
from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.handlers import BadFrame, Received, handles, read_frame
from realtime.connections.writer import Outgoing
from realtime.protocol import (
    PROTOCOL,
    ClientPing,
    ClientPong,
    CloseCode,
    Error,
    Frame,
    Pong,
    Welcome,
)
from realtime.server import server_of
from realtime.telemetry import counters
from realtime.transports.errors import INTERNAL_ERROR
from realtime.transports.rate_limit import RateLimit

logger = logging.getLogger("realtime.websocket")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_WAITING = 16
"""A client's frames that may wait while an earlier one is handled."""

CLOSE_TIMEOUT = 10.0
"""Seconds that a client that reads nothing may keep its socket after it was closed."""

SUBPROTOCOL = "livequery"
"""Accepted if a client offers it, beside one with a token: browsers require an accepted one."""


async def live_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/ws/live/`: an ASGI application for one socket."""
    await LiveSocket(scope, receive, send).serve()


@handles(ClientPing, at_once=True)
async def answer_ping(connection: Connection, frame: ClientPing) -> None:
    """Send a pong."""
    await connection.send(Pong())


@handles(ClientPong, at_once=True)
async def note_pong(connection: Connection, frame: ClientPong) -> None:
    """Record how far the client has read."""
    if isinstance(connection.transport, LiveSocket):
        connection.transport.ponged(frame.seq)


class LiveSocket:
    """One client's websocket.

    The server's task reads the client's frames. While frames wait, a second task handles them one
    by one. That task may wait for a rule or for the backend, and the first must read on meanwhile:
    a server whose application does not read takes the client for dead. An idle client has no other
    task. After any failure the socket is closed, and the client reconnects with its cursors: it is
    told late, but is never silently stale.
    """

    name = "websocket"

    # See decision 13.
    __slots__ = (
        "_closing",
        "_connection",
        "_deadline",
        "_ended",
        "_frames",
        "_greeted",
        "_handling",
        "_heard",
        "_loop",
        "_outgoing",
        "_ponged",
        "_receive",
        "_scope",
        "_send",
        "_server",
        "_waiting",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._server = server_of()
        self._connection: Connection | None = None
        self._outgoing: Outgoing | None = None
        self._handling: asyncio.Task[None] | None = None
        self._waiting: list[Received] = []  # not a deque: see decision 13
        self._frames = RateLimit(conf.MAX_FRAMES_A_SECOND)
        self._closing: asyncio.Task[None] | None = None
        self._deadline = asyncio.timeout(None)
        self._greeted = self._ended = False
        self._heard = self._ponged = self._loop.time()

    async def serve(self) -> None:
        """Serve the socket until its end; then release all resources."""
        self._server.connections.take_place()
        try:
            await self._receive()  # websocket.connect
            async with self._deadline:
                await self._welcome()
                while (event := await self._receive())["type"] != "websocket.disconnect":
                    if not self._ended:
                        await self._take(event.get("text"))
        except TimeoutError:
            if not self._deadline.expired():
                raise
        finally:
            self._server.connections.leave_place()
            await self._let_go()

    # -- a connection's transport -------------------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Send a frame behind those before it; return when the server has taken it."""
        if self._outgoing is not None:
            await self._outgoing.send(frame)

    async def close(self, code: CloseCode) -> None:
        """Close. Later and waiting frames are dropped: servers raise for more.

        Only the first call counts.
        """
        self._end(code)

    def fail(self, error: BaseException) -> None:
        """Close because of a server error; the client reconnects with its cursors."""
        if not self._ended:
            logger.error("a task of a connection failed; the connection is closed", exc_info=error)
        self._end(INTERNAL_ERROR)

    def wake(self) -> None:
        """Write the mailbox's messages soon."""
        if self._outgoing is not None:
            self._server.flush_queue.add(self._outgoing)

    def beat(self) -> None:
        """Ping the client; close the connection of one that sends nothing, or reads nothing."""
        if self._ended or self._outgoing is None:
            return
        now = self._loop.time()
        silent = now - self._heard > conf.SILENCE
        if silent or (self._outgoing.is_shut and now - self._ponged > conf.SILENCE):
            self._end(CloseCode.SILENT)
        else:
            self._outgoing.ping()

    def ponged(self, seq: int) -> None:
        """Take the client's answer to a ping."""
        if self._outgoing is not None and self._outgoing.ponged(seq):
            self._ponged = self._loop.time()

    def facts(self) -> dict[str, object]:
        """Return facts for operators."""
        outgoing = self._outgoing
        return {
            "pong": round(self._loop.time() - self._ponged, 1),
            "sent": outgoing.sent if outgoing else 0,
            "frames": outgoing.waiting if outgoing else 0,
            "held_back": bool(outgoing and outgoing.is_shut),
        }

    # -- the beginning ------------------------------------------------------------------------

    async def _welcome(self) -> None:
        """Accept, identify the client, and greet it if it is admitted."""
        began = monotonic()
        found = await self._identify()
        try:
            await self._send(self._acceptance())
        except (OSError, RuntimeError):
            self._ended = True  # as in _not_written()
            return
        if found is None:
            await self._refuse(CloseCode.SILENT)
        elif isinstance(found, Exception):
            self.fail(found)
        elif code := self._server.admission.why_not(found, began):
            await self._refuse(code)
        else:
            await self._let_in(found, began)

    async def _refuse(self, code: CloseCode) -> None:
        counters.refused[code] += 1
        await self.close(code)

    async def _identify(self) -> Identity | Exception | None:
        """Return the identity, or the error; None if it takes too long."""
        try:
            return await self._server.admission.identify(self._scope)
        except TimeoutError:
            return None
        except Exception as error:
            return error

    def _acceptance(self) -> dict[str, Any]:
        offered = self._scope.get("subprotocols") or ()
        accepted = {"subprotocol": SUBPROTOCOL} if SUBPROTOCOL in offered else {}
        return {"type": "websocket.accept", **accepted}

    async def _let_in(self, identity: Identity, began: float) -> None:
        connection = Connection(identity, self._server.hub, self)
        self._outgoing = Outgoing(
            connection.mailbox,
            self._write,
            connection.note_told,
            self._not_written,
            conf.SEND_WINDOW,
        )
        self._connection = connection
        self._server.connections.add(connection)
        self._server.admission.look_again_if_changed(connection, began)
        await self.send(Welcome(PROTOCOL, connection.id, conf.HEARTBEAT))
        self._greeted = True

    # -- frames in ----------------------------------------------------------------------------

    async def _take(self, text: str | None) -> None:
        """Handle one frame of the client."""
        assert self._connection is not None
        self._heard = self._loop.time()
        if self._frames.is_too_many(conf.MAX_FRAMES_A_SECOND):
            await self.close(CloseCode.TOO_MANY)
            return
        try:
            received = self._read(text)
        except BadFrame as bad:
            await self.send(bad.error)
            if bad.fatal:
                await self.close(CloseCode.NOT_UNDERSTOOD)
        except _TooLargeError:
            await self.close(CloseCode.TOO_LARGE)
        else:
            if received.at_once:
                await received.handler(self._connection, received.frame)
            else:
                await self._handle_in_turn(self._connection, received)

    def _read(self, text: str | None) -> Received:
        if text is None:
            message = "expected JSON in a text frame, got a binary one"
            raise BadFrame(Error("not-text", message), fatal=True)
        if len(text.encode(errors="surrogatepass")) > conf.MAX_FRAME_BYTES:
            raise _TooLargeError
        return read_frame(text)

    async def _handle_in_turn(self, connection: Connection, received: Received) -> None:
        self._waiting.append(received)
        if self._handling is None:
            self._handling = asyncio.create_task(self._handle_waiting(connection))
        if len(self._waiting) > MOST_WAITING:
            # From a client that goes on no frame is read until all of its frames are handled.
            await asyncio.wait([self._handling])

    async def _handle_waiting(self, connection: Connection) -> None:
        try:
            while self._waiting and not self._ended:
                received = self._waiting.pop(0)
                await received.handler(connection, received.frame)
        except Exception as error:
            self.fail(error)
        finally:
            self._handling = None

    # -- frames out, and the end --------------------------------------------------------------

    def _write(self, text: str) -> Awaitable[None]:
        # The server's own coroutine: a wrapper would be created a thousand times.
        return self._send({"type": "websocket.send", "text": text})

    def _not_written(self, error: BaseException) -> None:
        if self._ended or isinstance(error, OSError) or not self._greeted:
            # The client is gone. Some servers raise here; uvicorn reports a client that left during
            # the handshake as an application error. The disconnect event follows.
            self._ended = True
        else:
            self.fail(error)

    def _end(self, code: int) -> None:
        if not self._ended:
            self._ended = True
            counters.closed[code] += 1
            if self._outgoing is not None:
                self._outgoing.end()
            self._closing = asyncio.create_task(self._close_with(int(code)))  # servers require it

    async def _close_with(self, code: int) -> None:
        # A client that reads nothing does not read this either, and the server does not report it
        # gone.
        self._deadline.reschedule(self._loop.time() + CLOSE_TIMEOUT)
        try:
            await self._send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            return

    async def _let_go(self) -> None:
        self._ended = True
        tasks = [task for task in (self._handling, self._closing) if task is not None]
        for task in tasks:
            task.cancel()
        if self._connection is not None and self._outgoing is not None:
            self._server.connections.remove(self._connection)
            self._outgoing.end()
            await self._connection.let_go()
            await self._outgoing.close()
        await end(*tasks)


class _TooLargeError(Exception):
    """A frame is larger than MAX_FRAME_BYTES."""
