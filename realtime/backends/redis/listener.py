"""A connection that subscribes to channels and receives pushes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import count

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

MOST_CHANNELS = 1_000
"""Channels in one command at most."""


class ListenerBroken(RedisError):
    """The listener can no longer receive every push."""


class Listener:
    """Subscribes to sharded channels. Owner: the event loop.

    One task iterates `pushes()`; confirmations are received there too.
    """

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._sending = asyncio.Lock()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        """Channels that wait for the server's confirmation."""
        self._leaving: dict[bytes, int] = {}
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._tokens = count(1)

    async def open(self) -> None:
        """Connect; raise RedisError, OSError or TimeoutError."""
        async with asyncio.timeout(2 * self._timeout):
            await self._connection.connect()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close the connection; cancel the waits for confirmations."""
        for future in (*self._waiting.values(), *self._pongs.values()):
            future.cancel()
        await self._connection.disconnect(nowait=True)

    async def subscribe(self, channels: Iterable[str]) -> None:
        """Subscribe to channels of one slot; return once the server has confirmed each."""
        loop = asyncio.get_running_loop()
        names = [channel.encode() for channel in channels]
        for start in range(0, len(names), MOST_CHANNELS):
            some = names[start : start + MOST_CHANNELS]
            futures = {name: loop.create_future() for name in some}
            self._waiting |= futures
            await self._send("SSUBSCRIBE", *some)
            async with asyncio.timeout(self._timeout + len(some) / 1_000):
                await asyncio.gather(*futures.values())

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        """Unsubscribe from channels of one slot; do not wait for the confirmation."""
        names = [channel.encode() for channel in channels]
        for name in names:
            self._leaving[name] = self._leaving.get(name, 0) + 1
        await self._send("SUNSUBSCRIBE", *names)

    async def catch_up(self) -> None:
        """Return once all pushes that the server has sent so far were received; raise TimeoutError.

        redis-py's health check sends a ping and does not wait for the answer.
        """
        token = str(next(self._tokens)).encode()
        future = self._pongs[token] = asyncio.get_running_loop().create_future()
        try:
            await self._send("PING", token)
            async with asyncio.timeout(self._timeout):
                await future
        finally:
            self._pongs.pop(token, None)

    async def pushes(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield channel and data of each push, without end. Raise when a push may be missed."""
        while True:
            reply = await self._connection.read_response()
            if isinstance(reply, list) and reply[0] == b"smessage":
                yield reply[1].decode(), reply[2]
            else:
                self._note(reply if isinstance(reply, list) else [b"pong", reply])

    def _note(self, reply: list[bytes]) -> None:
        kind, name = reply[0], reply[1]
        if kind == b"ssubscribe":
            if (future := self._waiting.pop(name, None)) and not future.done():
                future.set_result(None)
        elif kind == b"sunsubscribe":
            self._note_left(name)
        elif (pong := self._pongs.get(name)) and not pong.done():
            pong.set_result(None)

    def _note_left(self, name: bytes) -> None:
        left = self._leaving.get(name, 0)
        if not left:
            # The only sign of a planned failover, and of a slot that has moved.
            raise ListenerBroken(f"the server unsubscribed us from {name.decode(errors='replace')}")
        if left == 1:
            del self._leaving[name]
        else:
            self._leaving[name] = left - 1

    async def _send(self, *command: object) -> None:
        if not self._connection.is_connected:
            # redis-py would reconnect, without the subscriptions.
            raise ListenerBroken("the connection broke before")
        async with self._sending:
            async with asyncio.timeout(self._timeout):
                await self._connection.send_command(*command, check_health=False)
