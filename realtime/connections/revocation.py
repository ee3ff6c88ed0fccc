"""End a user's connections when a logout or a change of the user is told.

The messages (see `realtime.access.signals`) say who is concerned, not what happened. Each process
looks for itself. Only for a session that was logged out there is nothing to look for, since it may
still be there when the process looks.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic

from realtime.access.identity import is_kept_in_cookies
from realtime.access.signals import CONCERNED, SESSION, USER
from realtime.connections.connection import Connection
from realtime.connections.registry import Connections
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode

SPREAD = 5.0
"""Seconds within which all are looked at again after messages may have been lost."""

MOST_TOLD = 10_000
"""Users and ended sessions that are remembered: their socket may be just being opened."""


class Revocation:
    """A hub's own observer, which ends connections of its event loop. That owns it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._ended: OrderedDict[str, float] = OrderedDict()
        """When each session was logged out."""
        self._users: OrderedDict[str, float] = OrderedDict()
        """When each user was last said to have changed."""
        self._missed = 0.0
        """When messages were last lost, maybe."""

    def topics(self) -> Iterable[Topic]:
        """Return the topic that tells who is concerned."""
        return (CONCERNED,)

    def observe(self, message: Message) -> Iterable[Message]:
        """Look at those who are concerned; nobody connected here is told anything."""
        if message.topic == CONCERNED:
            if message.reset:
                self.missed()
            for mark in message.changes.get(SESSION, ()):
                self._end(mark)
            for key in message.changes.get(USER, ()):
                _remember(self._users, key)
                self._look_at(key)
        return ()

    def missed(self) -> None:
        """Look at everybody, soon: messages may have been lost."""
        self._missed = monotonic()
        for connection in self._connections:
            delay = random.uniform(0, SPREAD)  # noqa: S311 -- jitter
            asyncio.get_running_loop().call_later(delay, _doubt, connection)

    def has_ended(self, mark: str, since: float) -> bool:
        """Was this session logged out?

        If all that there is of it is a cookie, then since a moment (`time.monotonic()`): whoever
        has one later has logged in again.
        """
        ended = self._ended.get(mark)
        return ended is not None and (ended >= since or not is_kept_in_cookies())

    def may_have_changed(self, key: str, since: float) -> bool:
        """Was this user said to have changed since a moment (`time.monotonic()`)?"""
        return max(self._users.get(key, 0.0), self._missed) >= since

    def _end(self, mark: str) -> None:
        _remember(self._ended, mark)
        for connection in self._connections.of_session(mark):
            connection.spawn(connection.close(CloseCode.NOT_AUTHENTICATED))

    def _look_at(self, key: str) -> None:
        for connection in self._connections.of_user(key):
            connection.authorization.doubt_all()


def _remember(when: OrderedDict[str, float], key: str) -> None:
    when[key] = monotonic()
    when.move_to_end(key)
    if len(when) > MOST_TOLD:
        when.popitem(last=False)


def _doubt(connection: Connection) -> None:
    if not connection.has_ended:
        connection.authorization.doubt_all(strict=False)
