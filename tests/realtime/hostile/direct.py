"""Sockets without a server or a login, on a hub of their own: cheap enough for very many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from realtime.server import server_of
from realtime.transports.websocket import LiveSocket
from tests.realtime.live_client import PATIENCE

SETTINGS: dict[str, Any] = {
    "PUBSUB": {"BACKEND": "realtime.backends.memory.MemoryPubSub", "OPTIONS": {"name": "direct"}},
    "AUTHENTICATE": "tests.realtime.hostile.direct.header_user",
}


class HeaderUser:
    """A user named by the header."""

    is_authenticated = True

    def __init__(self, pk: str) -> None:
        self.pk = pk


async def header_user(scope: dict[str, Any]) -> HeaderUser | None:
    """Authenticate by the header `who`."""
    found = dict(scope["headers"]).get(b"who", b"").decode()
    return HeaderUser(found) if found else None


class Direct:
    """One socket: the input is what a server would receive, and `sent` what it would send.

    No output is taken while `read` is not set, as by a client whose network is gone. A good client
    answers pings.
    """

    def __init__(self, who: str = "eve", *, is_good: bool = False) -> None:
        self._is_good = is_good
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._news = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self.read = asyncio.Event()
        self.read.set()
        self._in.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "headers": [(b"who", who.encode())]}
        self.socket = LiveSocket(scope, self._in.get, self._take)
        self.serving = asyncio.create_task(self.socket.serve())

    async def _take(self, event: dict[str, Any]) -> None:
        await self.read.wait()
        assert not self.is_closed, f"{event} is sent behind the end"
        self.sent.append(event)
        self._news.set()
        frame = json.loads(event.get("text", "{}"))
        if self._is_good and frame.get("type") == "ping":
            self.says({"type": "pong", "seq": frame["seq"]})

    @property
    def is_closed(self) -> bool:
        return any(event["type"] == "websocket.close" for event in self.sent)

    @property
    def code(self) -> int | None:
        """The code with which the server closed it."""
        closes = [event for event in self.sent if event["type"] == "websocket.close"]
        return closes[0]["code"] if closes else None

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The frames that the client received."""
        return [json.loads(event["text"]) for event in self.sent if "text" in event]

    def says(self, *frames: object) -> None:
        """Send frames: text and bytes as they are, other values as JSON."""
        for frame in frames:
            kind = "bytes" if isinstance(frame, bytes) else "text"
            data = frame if isinstance(frame, bytes | str) else json.dumps(frame)
            self._in.put_nowait({"type": "websocket.receive", kind: data})

    async def until(self, *kinds: str, within: float = PATIENCE) -> dict[str, Any]:
        """Wait for a frame of one of these types, after those of earlier calls."""
        return await asyncio.wait_for(self._until(kinds), within)

    async def _until(self, kinds: Iterable[str]) -> dict[str, Any]:
        while True:
            while self.sent:
                event = self.sent.pop(0)
                if event["type"] in kinds:
                    return event
                if "text" in event and (frame := json.loads(event["text"]))["type"] in kinds:
                    return frame
            self._news.clear()
            await self._news.wait()

    async def leave(self) -> None:
        """Disconnect; raise the error of the server's side."""
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.serving, PATIENCE)


def wanted(*topics: str) -> dict[str, Any]:
    return {"type": "subscribe", "subscriptions": [{"topic": topic} for topic in topics]}


def left_behind() -> dict[str, object]:
    """Return what this process holds of connections."""
    server = server_of()
    return {
        "topics": set(server.hub._subscribers.topics()),
        "connections": len(server.connections),
        "places": server.connections._taken,
        "beats": len(server.heartbeat._due),
    }


NOTHING: dict[str, object] = {"topics": set(), "connections": 0, "places": 0, "beats": 0}
