"""A client of the websocket of a server process, over TCP or a Unix socket.

The one client of tests in Python that opens a real connection. `live_client.LiveClient` is for the
ASGI application within the test's own process. Tests of clients' behaviour run the shipped client,
by `tests.convergence.node_crowd`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 30.0
"""Seconds to wait for one frame, or for the handshake."""

Frame = dict[str, Any]


class SocketClient:
    """An open connection. It answers pings. A frame that does not arrive in time fails the test."""

    def __init__(self, connection: ClientConnection, patience: float | None) -> None:
        self._connection = connection
        self._patience = patience

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server accepted."""
        return self._connection.subprotocol

    async def send(self, frame: Frame) -> None:
        """Send a frame."""
        await self._connection.send(json.dumps(frame))

    async def receive(self, kind: str) -> Frame:
        """Return the next frame that is no ping; it must be of this type.

        Raise ConnectionClosed if the server closes before.
        """
        frame = await self._next()
        assert frame["type"] == kind, f"expected {kind!r}, got {frame}"
        return frame

    async def subscribe(self, *topics: str, cursor: str | None = None) -> Frame:
        """Subscribe to topics, and return the topics of `subscribed`."""
        about = {} if cursor is None else {"cursor": cursor}
        wanted = [{"topic": topic, **about} for topic in topics]
        await self.send({"type": "subscribe", "subscriptions": wanted})
        confirmed: Frame = (await self.receive("subscribed"))["topics"]
        return confirmed

    async def closed(self) -> int | None:
        """Drop frames until the server closes; return its code, None if it sent none."""
        try:
            while True:
                await self._next()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else None

    async def _next(self) -> Frame:
        async with asyncio.timeout(self._patience):
            while (frame := json.loads(await self._connection.recv()))["type"] == "ping":
                # The server may have closed; frames sent before that can still be read.
                with suppress(ConnectionClosed):
                    await self.send({"type": "pong", "seq": frame["seq"]})
        found: Frame = frame
        return found


@asynccontextmanager
async def connected_to(
    url: str,
    socket: Path | None = None,
    *,
    origin: str | None = None,
    patience: float | None = PATIENCE,
    **options: Any,
) -> AsyncIterator[SocketClient]:
    """Connect to `/ws/live/` of a site like `http://127.0.0.1:8000`, and disconnect at the end.

    `socket` is the Unix socket of the server, if it listens on one. `origin` is the page's, None
    for a program. `options` are those of `websockets.connect()`. Raise its InvalidStatus if the
    server refuses the handshake.
    """
    path = f"{url.replace('http', 'ws', 1)}/ws/live/"
    options |= {"origin": origin, "open_timeout": patience}
    opening = connect(path, proxy=None, **options) if socket is None else None
    async with opening or unix_connect(str(socket), path, **options) as connection:
        yield SocketClient(connection, patience)
