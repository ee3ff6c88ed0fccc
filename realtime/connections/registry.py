"""All connections of an event loop: how many there may be, and how each is found."""

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
        """Places that are taken: by connections, and by those that are being let in."""
        self.draining = False

    def why_not(self, user: str = "") -> CloseCode | None:
        """Return why another connection of this user, or of nobody, is not let in; None if it is.

        Nobody's are bounded by those of the process alone: where they come from is unknown.
        """
        if self.draining:
            return CloseCode.DRAINING
        if self._taken > conf.MAX_CONNECTIONS:
            return CloseCode.FULL
        if user and len(self._by_user.get(user, ())) >= conf.MAX_CONNECTIONS_A_USER:
            return CloseCode.TOO_MANY
        return None

    def take_place(self) -> None:
        """Count one who is being let in: finding out who it is takes its time."""
        self._taken += 1

    def leave_place(self) -> None:
        """Count one less."""
        self._taken -= 1

    def add(self, connection: Connection) -> None:
        """Let its heartbeat begin, and let it be found."""
        self._all[connection.id] = connection
        counters.opened[connection.transport.name] += 1
        if key := connection.identity.key:
            self._by_user.setdefault(key, {})[connection.id] = connection
        self._heartbeat.add(connection)

    def remove(self, connection: Connection) -> None:
        """Forget it; one that was not added is no error."""
        self._all.pop(connection.id, None)
        self._heartbeat.remove(connection)
        key = connection.identity.key
        mine = self._by_user.get(key, {})
        mine.pop(connection.id, None)
        if not mine:
            self._by_user.pop(key, None)

    def get(self, name: str) -> Connection | None:
        """Return the connection of this id."""
        return self._all.get(name)

    def of_user(self, key: str) -> list[Connection]:
        """Return the connections of the user with this primary key."""
        return list(self._by_user.get(key, {}).values())

    def of_session(self, mark: str) -> list[Connection]:
        """Return those that came by the session with this mark."""
        return [each for each in self._all.values() if each.identity.session == mark]

    def __iter__(self) -> Iterator[Connection]:
        """Give them all, as they are now."""
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def __bool__(self) -> bool:
        """Say yes, also while there are none."""
        return True
