"""The common parts of the HTTP transports: admitting a request, and ending it."""

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
from realtime.server import Server, server_of_request
from realtime.telemetry import counters
from realtime.transports.errors import INTERNAL_ERROR, Refused
from realtime.transports.request import Parameters

logger = logging.getLogger("realtime.http")

ADMIT_TIMEOUT = 20.0
"""Seconds until a client has an answer. Some rules are asked only once the backend is connected."""


class HttpTransport:
    """One request that watches topics. Owner: the event loop.

    Frames wait in `frames`, and messages in the connection's mailbox, for the response; `news` is
    set when there are any. `let_go()` is always called in the end.
    """

    name = "http"

    def __init__(self, parameters: Parameters) -> None:
        self._server = _server()
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._is_gone = False
        self.parameters = parameters
        self.frames: list[Frame] = []
        self.news = asyncio.Event()
        self.refused: set[str] = set()
        """Topics of this request that may not be watched, or no longer."""
        self.is_over = False
        self.code: int | None = None
        """Why the request is over, if it was ended early."""
        self._server.connections.take_place()

    async def enter(self, request: HttpRequest) -> Connection:
        """Admit a client and watch its topics; raise Refused."""
        assert isinstance(request, ASGIRequest)
        began = monotonic()
        try:
            identity = await self._server.admission.identify(request.scope)
        except TimeoutError:
            raise self._refused(CloseCode.SILENT) from None
        code = self._server.admission.why_not(identity, began)
        if code is not None:
            raise self._refused(code)
        connection = self._connection = self._server.admission.admit(identity, self, began)
        try:
            async with asyncio.timeout(ADMIT_TIMEOUT):
                await begin(connection, self.parameters.wanted())
        except TimeoutError:
            raise Refused(
                503, "backend-away", "this server is not connected to its backend now"
            ) from None
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

        Return None while the cursor is unknown: while a topic waits for a rule or for the backend.
        The cursor must never be ahead of the messages sent to the client.
        """
        connection = self._connection
        if connection is None or self.refused:
            return None
        if connection.subscriptions.pending() or len(connection.mailbox):
            return None
        return self._server.hub.head([Topic(text) for text in self.parameters.topics])

    async def let_go(self) -> None:
        """End, and release all resources. Only the first call has an effect."""
        if self._is_gone:
            return
        self._is_gone = True
        self.end(None)
        self._server.connections.leave_place()
        if self._connection is not None:
            self._server.connections.remove(self._connection)
            await self._connection.let_go()

    def end(self, code: int | None) -> None:
        """Mark this as over. Only the first call has an effect."""
        if not self.is_over:
            self.is_over, self.code = True, code
            self.news.set()

    # -- a connection's transport -------------------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Keep a frame for the response."""
        if self.is_over:
            return
        self.frames.append(frame)
        self.news.set()
        if isinstance(frame, Denied | Revoked):
            self.refused.update(frame.topics)
            if self._connection is not None and not self._connection.subscriptions.cursors:
                await self.close(CloseCode.REFUSED)

    async def close(self, code: CloseCode) -> None:
        """End. Only the first call has an effect."""
        if not self.is_over:
            counters.closed[code] += 1
        self.end(int(code))

    def fail(self, error: BaseException) -> None:
        """End because of a server error; the client reconnects with its cursor."""
        if not self.is_over:
            logger.error("a task of a connection failed; the connection is closed", exc_info=error)
        self.end(INTERNAL_ERROR)

    def wake(self) -> None:
        """Wake the response, so that it reads the mailbox."""
        self.news.set()

    def beat(self) -> None:
        """Do nothing: a request that ends soon needs no heartbeat."""

    def facts(self) -> dict[str, object]:
        """Return facts for operators."""
        return {"frames": len(self.frames)}

    def _refused(self, code: CloseCode) -> Refused:
        """Count a client that is not admitted; return the error."""
        counters.closed[code] += 1
        counters.refused[code] += 1
        return Refused.because(code)


def _server() -> Server:
    try:
        return server_of_request()
    except Exception as error:
        raise Refused(503, "backend-away", "this server has no backend") from error


async def release_connections() -> None:
    """Close the database connections that middleware has opened for this request.

    Each request has a thread of its own for sync code, which keeps its connections until the
    request ends. Thousands of streams would keep thousands of connections.
    """
    await sync_to_async(_close_unused)()


async def release_thread() -> None:
    """End that thread too; a later call of sync code starts another."""
    await release_connections()
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)


def _close_unused() -> None:
    for connection in connections.all(initialized_only=True):
        # A connection within a transaction belongs to a test.
        if not connection.in_atomic_block:
            connection.close()
