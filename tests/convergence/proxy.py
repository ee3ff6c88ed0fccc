"""A TCP proxy that delays, stalls, refuses or resets connections on command."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from random import Random

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: a close drops unsent data and sends a TCP reset."""


class Proxy:
    """Listens on a TCP port and forwards to a Unix socket. Owner: an event loop."""

    def __init__(self, target: Path, draw: Random) -> None:
        self.delay = 0.0
        """Each chunk, in both directions, is delayed by up to so many seconds; order is kept."""
        self.late = 0.0
        """Each HTTP response begins up to so many seconds late, independently of others."""
        self.refusing = False
        self._target = target
        self._draw = draw
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening, and end all connections."""
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._open):
            end = writer.get_extra_info("socket")
            if end is not None and end.family == socket.AF_INET and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def stall(self) -> None:
        """Forward no data until `flow()`; connections stay open."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward the waiting data, and all data from now on."""
        self._flowing.set()

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if not self.refusing:
                await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            # The server is away, or the proxy closes: the client's connection ends.
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._tasks.discard(task)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        up, down = await asyncio.open_unix_connection(str(self._target))
        self._open.add(down)
        first = await self._read(reader)
        down.write(first)
        late = 0.0 if first.startswith(b"GET /ws/") else self._draw.uniform(0, self.late)
        pumps = [
            asyncio.ensure_future(self._pump(reader, down)),
            asyncio.ensure_future(self._pump(up, writer, late)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            down.transport.abort()
            self._open.discard(down)
            await _flush(writer)

    async def _pump(self, reader: StreamReader, writer: StreamWriter, late: float = 0.0) -> None:
        data = await self._read(reader)
        # After the read: the response is as old as the delay when it is forwarded.
        await asyncio.sleep(late)
        while data:
            writer.write(data)
            await writer.drain()
            data = await self._read(reader)

    async def _read(self, reader: StreamReader) -> bytes:
        data = await reader.read(CHUNK)
        if self.delay:
            await asyncio.sleep(self._draw.uniform(0, self.delay))
        await self._flowing.wait()
        return data


async def _flush(writer: StreamWriter) -> None:
    """Send the buffered data before the connection ends."""
    if not writer.transport.is_closing():
        writer.close()
        try:
            async with asyncio.timeout(5):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            pass
