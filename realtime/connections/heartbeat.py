"""One timer for the heartbeats of all connections, rather than a task for each.

Each connection beats once a HEARTBEAT, counted from when it came, so that beats are spread as
arrivals were.
"""

from __future__ import annotations

import asyncio
import math
import random
from itertools import takewhile
from typing import TYPE_CHECKING

from realtime.conf import conf

if TYPE_CHECKING:
    from realtime.connections.connection import Connection


class Heartbeat:
    """When each connection beats next. Owner: an event loop; one timer, while there are any."""

    def __init__(self) -> None:
        # In the order in which they are due: whoever has beaten goes to the end.
        self._due: dict[Connection, float] = {}
        self._rechecks: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Let a connection beat from now on."""
        now = asyncio.get_running_loop().time()
        self._due[connection] = now + conf.HEARTBEAT
        self._rechecks[connection] = now + _recheck()
        if self._timer is None:
            self._wait(now + conf.HEARTBEAT)

    def remove(self, connection: Connection) -> None:
        """Let it beat no more."""
        self._due.pop(connection, None)
        self._rechecks.pop(connection, None)
        if not self._due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, until: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(until, self._beat)

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        due = list(takewhile(lambda each: self._due[each] <= now, self._due))
        for connection in due:
            del self._due[connection]
            self._due[connection] = now + conf.HEARTBEAT
        self._timer = None
        self._wait(next(iter(self._due.values()), now + conf.HEARTBEAT))
        for connection in due:
            if connection in self._due:  # not removed by another's beat
                self._beat_one(connection, now)

    def _beat_one(self, connection: Connection, now: float) -> None:
        try:
            connection.transport.beat()
            # Those that are due before the next beat: within RECHECK, not behind it.
            if now + conf.HEARTBEAT > self._rechecks.get(connection, math.inf):
                self._rechecks[connection] = now + _recheck()
                connection.authorization.doubt_all(strict=False)
        except Exception as error:
            connection.transport.fail(error)


def _recheck() -> float:
    """When to ask again whether a connection may go on; spread, since many come together."""
    seconds: float = conf.RECHECK * random.uniform(0.5, 1)  # noqa: S311 -- jitter
    return seconds
