"""What ends a user's connections in every process: logging out, and changes of the user.

It is told by messages, as everything else: to one topic that each process hears and no client may
watch. They say who is concerned, not what happened. Processes look for themselves; only for a
session that was logged out there is nothing to look for, since it may still be there when they do.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from realtime.access.identity import key_of, mark_of
from realtime.connection import Connection
from realtime.connections import Connections, connections_of
from realtime.hub import known_hub
from realtime.messages import Message
from realtime.protocol import CloseCode
from realtime.publish import publish
from realtime.topics import RESERVED, Topic

CONCERNED = Topic.of(RESERVED, "access")

USER, SESSION = "user", "session"
"""The labels under which a message names users and sessions."""

SPREAD = 5.0
"""Seconds within which all are looked at again after messages may have been lost."""

MOST_ENDED = 10_000
"""Ended sessions that are remembered: one may be named by a socket that is just being opened."""


class Endings:
    """An observer that ends connections. Owner: the event loop of each hub."""

    def __init__(self) -> None:
        self._ended: OrderedDict[str, None] = OrderedDict()

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
                _look_at(key)
        return ()

    def missed(self) -> None:
        """Look at everybody, soon: messages may have been lost."""
        for connection in _connections() or ():
            delay = random.uniform(0, SPREAD)  # noqa: S311 -- jitter
            asyncio.get_running_loop().call_later(delay, _doubt, connection)

    def has_ended(self, mark: str) -> bool:
        """Was this session logged out a while ago?"""
        return mark in self._ended

    def _end(self, mark: str) -> None:
        self._ended[mark] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        for connection in (_connections() or Connections()).of_session(mark):
            connection.spawn(connection.close(CloseCode.NOT_AUTHENTICATED))


endings = Endings()


def logged_out(*, request: HttpRequest | None, user: Any, **_: object) -> None:
    """Tell every process that a session ends; a receiver of Django's `user_logged_out`."""
    mark = mark_of(getattr(request, "session", None))
    if mark:
        publish([Message(CONCERNED, {SESSION: {mark: "left"}})])
    elif user is not None:
        user_changed(instance=user)


def user_changed(
    *,
    instance: Any,
    created: bool = False,
    update_fields: Iterable[str] | None = None,
    **_: object,
) -> None:
    """Tell every process to look at a user again; a receiver of `post_save` and `post_delete`."""
    is_login = update_fields is not None and set(update_fields) <= {"last_login"}
    if created or is_login:
        return  # Nobody is here as them yet, or no less than before.
    users_changed([key_of(instance)], using=instance._state.db)


def users_changed(keys: Iterable[str], using: str | None = None) -> None:
    """Tell every process to look at the users with these primary keys again, on commit."""
    rows = {key: "updated" for key in keys if key}
    if rows:
        publish([Message(CONCERNED, {USER: rows})], using=using)  # type: ignore[dict-item]


def _connections() -> Connections | None:
    hub = known_hub()
    return None if hub is None else connections_of(hub)


def _look_at(key: str) -> None:
    for connection in (_connections() or Connections()).of_user(key):
        connection.grants.doubt_all()


def _doubt(connection: Connection) -> None:
    if not connection.has_ended:
        connection.grants.doubt_all(strict=False)
