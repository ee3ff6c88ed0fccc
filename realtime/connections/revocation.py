"""End connections, or authorise them again, after a logout or a change of a user.

The messages (see `realtime.access.signals`) name the user, not the change: each process loads the
user again. A session that was logged out is named itself and its connections end without a lookup,
since the session may still exist at that moment.
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
"""Seconds over which all connections are authorised again after a loss of messages."""

MOST_TOLD = 10_000
"""Users and ended sessions that are remembered, for connections that are being admitted."""


class Revocation:
    """An observer of the hub that ends connections of its event loop, which owns it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._ended: OrderedDict[str, float] = OrderedDict()
        """Session mark -> when it was logged out (`time.monotonic()`)."""
        self._users: OrderedDict[str, float] = OrderedDict()
        """User key -> when a message last named the user (`time.monotonic()`)."""
        self._missed = 0.0
        """When messages may have been lost last (`time.monotonic()`)."""

    def topics(self) -> Iterable[Topic]:
        """Return the topic of changed users and ended sessions."""
        return (CONCERNED,)

    def observe(self, message: Message) -> Iterable[Message]:
        """Handle the users and sessions that a message names; no client receives messages of it."""
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
        """Authorise all connections again within SPREAD seconds: messages may have been lost."""
        self._missed = monotonic()
        for connection in self._connections:
            delay = random.uniform(0, SPREAD)  # noqa: S311 -- jitter
            asyncio.get_running_loop().call_later(delay, _doubt, connection)

    def has_ended(self, mark: str, since: float) -> bool:
        """Return whether this session was logged out.

        If sessions are stored in cookies, only a logout after `since` (`time.monotonic()`) counts:
        a later request with the same mark has logged in again.
        """
        ended = self._ended.get(mark)
        return ended is not None and (ended >= since or not is_kept_in_cookies())

    def may_have_changed(self, key: str, since: float) -> bool:
        """Return whether the user may have changed since a moment (`time.monotonic()`)."""
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
