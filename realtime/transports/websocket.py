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
from realtime.connections.handlers import handles
from realtime.connections.writer import Writer
from realtime.protocol import (
    PROTOCOL,
    ClientPing,
    ClientPong,
    CloseCode,
    Frame,
    Pong,
    Welcome,
)
from realtime.server import server_of
from realtime.telemetry import counters
from realtime.transports.errors import INTERNAL_ERROR
from realtime.transports.frame_reader import FrameReader

logger = logging.getLogger("realtime.websocket")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

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

    The server's task reads the client's frames. After any failure the socket is closed, and the
    client reconnects with its cursors: it is told late, but is never silently stale.
    """

    name = "websocket"

    # See decision 13.
    __slots__ = (
        "_closing",
        "_connection",
        "_deadline",
        "_ended",
        "_greeted",
        "_heard",
        "_loop",
        "_ponged",
        "_reader",
        "_receive",
        "_scope",
        "_send",
        "_server",
        "_writer",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._server = server_of()
        self._connection: Connection | None = None
        self._writer: Writer | None = None
        self._reader: FrameReader | None = None
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
                        assert self._reader is not None
                        self._heard = self._loop.time()
                        await self._reader.take(event.get("text"))
        except TimeoutError:
            if not self._deadline.expired():
                raise
        finally:
            self._server.connections.leave_place()
            await self._let_go()

    # -- a connection's transport -------------------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Send a frame behind those before it; return when the server has taken it."""
        if self._writer is not None:
            await self._writer.send(frame)

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
        if self._writer is not None:
            self._server.flush_queue.add(self._writer)

    def beat(self) -> None:
        """Ping the client; close the connection of one that sends nothing, or reads nothing."""
        if self._ended or self._writer is None:
            return
        now = self._loop.time()
        silent = now - self._heard > conf.SILENCE
        if silent or (self._writer.is_shut and now - self._ponged > conf.SILENCE):
            self._end(CloseCode.SILENT)
        else:
            self._writer.ping()

    def ponged(self, seq: int) -> None:
        """Take the client's answer to a ping."""
        if self._writer is not None and self._writer.ponged(seq):
            self._ponged = self._loop.time()

    def facts(self) -> dict[str, object]:
        """Return facts for operators."""
        outgoing = self._writer
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
        connection = self._server.admission.admit(identity, self, began)
        self._writer = Writer(
            connection.mailbox,
            self._write,
            connection.note_told,
            self._not_written,
            conf.SEND_WINDOW,
        )
        self._reader = FrameReader(connection)
        self._connection = connection
        await self.send(Welcome(PROTOCOL, connection.id, conf.HEARTBEAT))
        self._greeted = True

    # -- the end ------------------------------------------------------------------------------

    def _write(self, text: str) -> Awaitable[None]:
        # The server's own coroutine: a wrapper would be created a thousand times.
        return self._send({"type": "websocket.send", "text": text})

    def _not_written(self, error: BaseException) -> None:
        if self._ended or isinstance(error, OSError) or not self._greeted:
            # The client is gone. Some servers raise here; uvicorn reports a client that left during
            # the handshake as an application error. The disconnect event follows.
            self._stop()
        else:
            self.fail(error)

    def _end(self, code: int) -> None:
        if not self._ended:
            self._stop()
            counters.closed[code] += 1
            self._closing = asyncio.create_task(self._close_with(int(code)))  # servers require it

    def _stop(self) -> None:
        """Write no more, and handle no further frames."""
        self._ended = True
        if self._reader is not None and self._writer is not None:
            self._reader.end()
            self._writer.end()

    async def _close_with(self, code: int) -> None:
        # A client that reads nothing does not read this either, and the server does not report it
        # gone.
        self._deadline.reschedule(self._loop.time() + CLOSE_TIMEOUT)
        try:
            await self._send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            return

    async def _let_go(self) -> None:
        self._stop()
        tasks = [] if self._reader is None else self._reader.cancel()
        if self._closing is not None:
            self._closing.cancel()
            tasks.append(self._closing)
        if self._connection is not None and self._writer is not None:
            self._server.connections.remove(self._connection)
            await self._connection.let_go()
            await self._writer.close()
        await end(*tasks)
