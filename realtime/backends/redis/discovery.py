"""Asking, on an event loop, which server holds which partition."""

from __future__ import annotations

import random
from collections.abc import Iterable

from redis.exceptions import RedisError

from realtime.backends.redis.client import LAYOUT_COMMANDS, layout_from
from realtime.backends.redis.commands import CommandConnection
from realtime.backends.redis.config import Config
from realtime.backends.redis.topology import Address, Layout
from realtime.exceptions import UpstreamLost


async def ask_for_layout(config: Config, known: Iterable[Address]) -> Layout:
    """Ask the known servers, then those that the project named; raise the last error."""
    servers, seeds = list(known), list(config.seeds)
    random.shuffle(servers)
    random.shuffle(seeds)  # the first of them may hang, and every process would wait for it
    error: Exception = UpstreamLost("there is no server to ask")
    for address in (*servers, *seeds):
        connection = CommandConnection(config.connection(address), config.timeout)
        try:
            await connection.open()
            return layout_from(await connection.ask(LAYOUT_COMMANDS, may_fail=True), address)
        except (RedisError, OSError, TimeoutError) as caught:
            error = caught
        finally:
            await connection.close()
    raise error
