"""A connection for commands and their replies. Owner: one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from realtime.backends.redis.client import Command
from realtime.backends.redis.scripts import LOADING, unknown_in

MOST_COMMANDS = 500
"""Commands that are sent before their replies are read."""


class CommandConnection:
    """Sends commands, one batch after another.

    After any error except an error reply it is unusable.

    Each reply may take `timeout` seconds.
    """

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._asking = asyncio.Lock()
        self._is_broken = False

    async def open(self) -> None:
        """Connect; raise RedisError, OSError or TimeoutError."""
        async with asyncio.timeout(2 * self._timeout):
            await self._connection.connect()  # type: ignore[no-untyped-call]

    async def ask(self, commands: Sequence[Command], *, may_fail: bool = False) -> list[Any]:
        """Send commands and return their replies; raise the first error unless `may_fail`."""
        replies: list[Any] = []
        async with self._asking:
            for start in range(0, len(commands), MOST_COMMANDS):
                replies += await self._ask_known(commands[start : start + MOST_COMMANDS])
        for reply in replies:
            if isinstance(reply, ResponseError) and not may_fail:
                raise reply
        return replies

    async def close(self) -> None:
        """Close the connection."""
        self._is_broken = True
        await self._connection.disconnect(nowait=True)

    async def _ask_known(self, commands: Sequence[Command]) -> list[Any]:
        replies = await self._execute(commands)
        if unknown := unknown_in(replies):
            await self._execute(LOADING)
            again = await self._execute([commands[number] for number in unknown])
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return replies

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        if self._is_broken:
            # redis-py would reconnect.
            raise ConnectionError("the connection broke before")
        try:
            packed = self._connection.pack_commands(commands)  # type: ignore[arg-type]
            async with asyncio.timeout(self._timeout):
                await self._connection.send_packed_command(packed, check_health=False)
            return [await self._read() for _ in commands]
        except BaseException:
            # Late replies would be taken for the replies to other commands.
            await self.close()
            raise

    async def _read(self) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._connection.read_response()
        except ResponseError as error:
            return error
