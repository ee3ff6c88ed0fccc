"""The registry of an event loop's connections, with their limits and indexes."""

from __future__ import annotations

from collections.abc import Iterator

from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.heartbeat import Heartbeat
from realtime.protocol import CloseCode
from realtime.telemetry import counters


class Connections:
    """The connections of one event loop, its owner; a transport adds and removes its own."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._all: dict[str, Connection] = {}
        self._by_user: dict[str, dict[str, Connection]] = {}
        self._taken = 0
        """The number of connections, plus the requests that are being admitted."""
        self.draining = False

    def why_not(self, user: str = "") -> CloseCode | None:
        """Return the close code that refuses another connection of this user; None to admit it.

        Anonymous connections (an empty key) are bounded only by the process's limit, since their
        origin is unknown.
        """
        if self.draining:
            return CloseCode.DRAINING
        if self._taken > conf.MAX_CONNECTIONS:
            return CloseCode.FULL
        if user and len(self._by_user.get(user, ())) >= conf.MAX_CONNECTIONS_A_USER:
            return CloseCode.TOO_MANY
        return None

    def take_place(self) -> None:
        """Count a request from before its identity is looked up, which takes time."""
        self._taken += 1

    def leave_place(self) -> None:
        """Count one request less; once for each `take_place()`."""
        self._taken -= 1

    def add(self, connection: Connection) -> None:
        """Add a connection to the indexes, and start its heartbeat."""
        self._all[connection.id] = connection
        counters.opened[connection.transport.name] += 1
        if key := connection.identity.key:
            self._by_user.setdefault(key, {})[connection.id] = connection
        self._heartbeat.add(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection; one that was never added is ignored."""
        self._all.pop(connection.id, None)
        self._heartbeat.remove(connection)
        key = connection.identity.key
        mine = self._by_user.get(key, {})
        mine.pop(connection.id, None)
        if not mine:
            self._by_user.pop(key, None)

    def get(self, name: str) -> Connection | None:
        """Return the connection of this id; None if there is none."""
        return self._all.get(name)

    def of_user(self, key: str) -> list[Connection]:
        """Return the connections of the user with this primary key."""
        return list(self._by_user.get(key, {}).values())

    def of_session(self, mark: str) -> list[Connection]:
        """Return the connections opened in the session with this mark."""
        return [each for each in self._all.values() if each.identity.session == mark]

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy: connections may be added and removed meanwhile."""
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        """Return the number of connections, without those being admitted."""
        return len(self._all)

    def __bool__(self) -> bool:
        """Return True, also for an empty registry."""
        return True
