"""A websocket with a browser's manners: it calls back, and says once that it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.convergence.imitation.tools import Tools

BROKEN = 1006
GOODBYE = 1.0
"""Seconds for which the server may answer a close."""


class Socket:
    """Connects at once. `heard(socket, text)` and `ended(socket, code)` are called back."""

    def __init__(
        self,
        url: str,
        heard: Callable[[Socket, str], None],
        ended: Callable[[Socket, int], None],
        tools: Tools,
    ) -> None:
        self._heard = heard
        self._ended = ended
        self._headers = {"Cookie": tools.cookie} if tools.cookie else {}
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._task = tools.spawn(self._live(url))

    def send(self, text: str) -> None:
        """Send, in order, when it can be."""
        self._outbox.put_nowait(text)

    def close(self) -> None:
        """Be done with it; whoever made this hears no more."""
        self._task.cancel()

    async def _live(self, url: str) -> None:
        code = BROKEN
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None}
        host = url.split("/")[2]
        try:
            async with connect(
                url,
                origin=f"http://{host}",  # type: ignore[arg-type]
                additional_headers=self._headers,
                open_timeout=None,
                close_timeout=GOODBYE,
                max_size=None,
                **options,
            ) as socket:
                code = await self._talk(socket)
        except (OSError, EOFError, WebSocketException):
            pass
        self._ended(self, code)

    async def _talk(self, socket: ClientConnection) -> int:
        sending = asyncio.create_task(self._send_all(socket))
        try:
            while True:
                text = await socket.recv()
                self._heard(self, str(text))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else BROKEN
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_all(self, socket: ClientConnection) -> None:
        while True:
            await socket.send(await self._outbox.get())
