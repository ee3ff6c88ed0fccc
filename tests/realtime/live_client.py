"""A client of `/ws/live/` within the test's process: Channels' communicator with this protocol.

It calls the ASGI application directly, so that a test can patch and inspect the server. For the
websocket of a server process see `socket_client`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.test import Client

from realtime.asgi import with_websockets

PATIENCE = 30.0
HOME = b"http://localhost"

Frame = dict[str, Any]


class LiveClient:
    """One socket. Frames are dicts; a frame that does not arrive in time fails the test."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def send(self, frame: object) -> None:
        """Send a frame, or any text or bytes."""
        match frame:
            case str():
                await self.communicator.send_to(text_data=frame)
            case bytes():
                await self.communicator.send_to(bytes_data=frame)
            case _:
                await self.communicator.send_to(text_data=json.dumps(frame))

    async def receive(self, kind: str | None = None) -> Frame:
        """Return the next frame, which must be of type `kind`."""
        output = await self.communicator.receive_output(PATIENCE)
        assert output["type"] == "websocket.send", f"expected a frame, got {output}"
        frame: Frame = json.loads(output["text"])
        assert kind in (None, frame["type"]), f"expected {kind!r}, got {frame}"
        return frame

    async def closed(self) -> int:
        """Return the server's close code, which must be next."""
        output = await self.communicator.receive_output(PATIENCE)
        assert output["type"] == "websocket.close", f"expected the end, got {output}"
        code: int = output.get("code", 1000)
        return code

    async def subscribe(self, *topics: str | tuple[str, str]) -> Frame:
        """Subscribe to topics, or (topic, cursor) pairs, and return the topics of `subscribed`."""
        pairs = [topic if isinstance(topic, tuple) else (topic, None) for topic in topics]
        wanted = [
            {"topic": topic, "cursor": cursor} if cursor else {"topic": topic}
            for topic, cursor in pairs
        ]
        await self.send({"type": "subscribe", "subscriptions": wanted})
        frame: Frame = (await self.receive("subscribed"))["topics"]
        return frame

    async def changed(self) -> Frame:
        """Return the topics of the next frame, which must be `changed`."""
        frame: Frame = (await self.receive("changed"))["topics"]
        return frame

    async def nothing_waits(self) -> bool:
        """Return True if the server sends nothing before its answer to a ping."""
        await self.send({"type": "ping"})
        return (await self.receive())["type"] == "pong"


async def cookie_of(user: User) -> bytes:
    """Log `user` in, and return the cookie header."""

    def log_in() -> str:
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    return f"{settings.SESSION_COOKIE_NAME}={await sync_to_async(log_in)()}".encode()


def communicator(
    path: str = "/ws/live/", cookie: bytes | None = None, origin: bytes | None = HOME
) -> WebsocketCommunicator:
    """Make a socket that has not connected yet."""
    headers = [(b"host", b"localhost")]
    headers += [(b"origin", origin)] if origin else []
    headers += [(b"cookie", cookie)] if cookie else []
    return WebsocketCommunicator(with_websockets(ASGIHandler()), path, headers=headers)


@asynccontextmanager
async def connected(user: User | None, *, welcome: bool = True) -> AsyncIterator[LiveClient]:
    """Connect as `user`, take the `welcome`, and disconnect at the end."""
    socket = communicator(cookie=await cookie_of(user) if user else None)
    accepted, _ = await socket.connect(PATIENCE)
    assert accepted
    client = LiveClient(socket)
    try:
        if welcome:
            await client.receive("welcome")
        yield client
    finally:
        if not socket.future.done():
            await socket.disconnect(timeout=PATIENCE)
        await asyncio.gather(socket.future, return_exceptions=True)
