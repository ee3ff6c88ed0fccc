"""What transports over HTTP have in common: letting a request in, and letting it go."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest

from realtime.connections.connection import Connection
from realtime.connections.subscribe import begin
from realtime.messages.cursors import Cursor
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Denied, Frame, Revoked
from realtime.server import Server, server_of
from realtime.telemetry import counters
from realtime.transports.errors import Refused
from realtime.transports.request import Asked

logger = logging.getLogger("realtime.http")

ENTERS_WITHIN = 20.0
"""Seconds until a client has an answer. Some rules are asked only when the backend is there."""

INTERNAL_ERROR = 1011
"""The code for a server that failed, as websockets have it."""


class HttpTransport:
    """One request that watches topics. Owner: the event loop.

    Frames wait in `frames` and messages in the connection's mailbox for whoever answers; `news`
    says that there is something. Whatever happens, `let_go()` is called in the end.
    """

    name = "http"

    def __init__(self, asked: Asked) -> None:
        self._server = _server()
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._is_gone = False
        self.asked = asked
        self.frames: list[Frame] = []
        self.news = asyncio.Event()
        self.refused: set[str] = set()
        """Topics of this request that may not be watched, or no longer."""
        self.is_over = False
        self.code: int | None = None
        """Why it is over, if that was not to be."""
        self._server.connections.take_place()

    async def enter(self, request: HttpRequest) -> Connection:
        """Let a client in and watch what it asks for; raise Refused."""
        assert isinstance(request, ASGIRequest)
        began = monotonic()
        try:
            identity = await self._server.admission.identify(request.scope)
        except TimeoutError:
            raise self._refused(CloseCode.SILENT) from None
        code = self._server.admission.why_not(identity, began)
        if code is not None:
            raise self._refused(code)
        connection = self._connection = Connection(identity, self._server.hub, self)
        self._server.connections.add(connection)
        self._server.admission.look_again_if_changed(connection, began)
        try:
            async with asyncio.timeout(ENTERS_WITHIN):
                await begin(connection, self.asked.wanted())
        except TimeoutError:
            raise Refused(503, "backend-away", "this server hears of no changes now") from None
        self.check()
        return connection

    def check(self) -> None:
        """Raise Refused if this is over, or a topic is refused."""
        if self.refused:
            raise Refused.topics(self.refused)
        if self.code is not None:
            raise Refused.because(self.code)

    def position(self) -> Cursor | None:
        """Return the cursor behind all that was put into the mailbox, once that is empty.

        None while that is not known: while something waits for a rule or for the backend. It must
        never run ahead of what the client is told.
        """
        connection = self._connection
        if connection is None or connection.pending or len(connection.mailbox) or self.refused:
            return None
        return self._server.hub.head([Topic(text) for text in self.asked.topics])

    async def let_go(self) -> None:
        """End, and leave nothing behind. Only the first call does anything."""
        if self._is_gone:
            return
        self._is_gone = True
        self.end(None)
        self._server.connections.leave_place()
        if self._connection is not None:
            self._server.connections.remove(self._connection)
            await self._connection.let_go()

    def end(self, code: int | None) -> None:
        """Note that this is over, once."""
        if not self.is_over:
            self.is_over, self.code = True, code
            self.news.set()

    # -- what a connection's transport does ---------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Keep a frame for whoever answers."""
        if self.is_over:
            return
        self.frames.append(frame)
        self.news.set()
        if isinstance(frame, Denied | Revoked):
            self.refused.update(frame.topics)
            if self._connection is not None and not self._connection.topics:
                await self.close(CloseCode.REFUSED)

    async def close(self, code: CloseCode) -> None:
        """End, once."""
        if not self.is_over:
            counters.closed[code] += 1
        self.end(int(code))

    def fail(self, error: BaseException) -> None:
        """End because of an error of ours; the client comes back with its cursor."""
        if not self.is_over:
            logger.error("a task of a connection failed; the connection is closed", exc_info=error)
        self.end(INTERNAL_ERROR)

    def wake(self) -> None:
        """Let whoever answers look at the mailbox."""
        self.news.set()

    def beat(self) -> None:
        """Do nothing: what is answered soon needs no heart."""

    def facts(self) -> dict[str, object]:
        """Return what operators want to know of it."""
        return {"frames": len(self.frames)}

    def _refused(self, code: CloseCode) -> Refused:
        """Count one who is not let in; return what tells why."""
        counters.closed[code] += 1
        counters.refused[code] += 1
        return Refused.because(code)


def _server() -> Server:
    try:
        return server_of()
    except Exception as error:
        logger.exception("this process hears nothing: its backend cannot be made")
        raise Refused(503, "backend-away", "this server hears of no changes") from error


async def release_connections() -> None:
    """Close the database connections that middleware has opened for this request.

    Each request has a thread of its own for what is sync, and that keeps its connections until the
    request ends. Thousands of streams would keep thousands.
    """
    await sync_to_async(_close_unused)()


async def release_thread() -> None:
    """End that thread too; another is begun when something sync is called after all."""
    await release_connections()
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)


def _close_unused() -> None:
    for connection in connections.all(initialized_only=True):
        # One within a transaction belongs to a test.
        if not connection.in_atomic_block:
            connection.close()
