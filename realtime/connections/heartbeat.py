"""One timer for the heartbeats of all connections, instead of a task for each.

Each connection beats every HEARTBEAT seconds, counted from its opening, so that the beats are
spread as the openings were.
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
    """Schedules the connections' beats and rechecks. Owner: an event loop; one timer at most."""

    def __init__(self) -> None:
        # In the order in which they are due: a connection that has beaten moves to the end.
        self._due: dict[Connection, float] = {}
        self._rechecks: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Start the beats of a connection."""
        now = asyncio.get_running_loop().time()
        self._due[connection] = now + conf.HEARTBEAT
        self._rechecks[connection] = now + _recheck()
        if self._timer is None:
            self._wait(now + conf.HEARTBEAT)

    def remove(self, connection: Connection) -> None:
        """Stop the beats of a connection; an unknown one is ignored."""
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
            # If it is due before the next beat: rechecks are early rather than after RECHECK.
            if now + conf.HEARTBEAT > self._rechecks.get(connection, math.inf):
                self._rechecks[connection] = now + _recheck()
                connection.authorization.doubt_all(strict=False)
        except Exception as error:
            connection.transport.fail(error)


def _recheck() -> float:
    """Return the seconds until the next recheck; random, since many connections open together."""
    seconds: float = conf.RECHECK * random.uniform(0.5, 1)  # noqa: S311 -- jitter
    return seconds
