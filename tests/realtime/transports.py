"""A connection without a socket: its frames are kept for the test to inspect."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from django.contrib.auth.models import AnonymousUser

from realtime.access.identity import Identity
from realtime.access.ticket_checks import TicketChecks
from realtime.connections.connection import Connection
from realtime.protocol import CloseCode, Frame


class FakeTransport:
    """Keeps its frames. The hub's messages stay in the mailbox."""

    name = "fake"

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed: CloseCode | None = None
        self.failed: BaseException | None = None
        self.wakes = self.beats = 0

    async def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def close(self, code: CloseCode) -> None:
        self.closed = code

    def fail(self, error: BaseException) -> None:
        self.failed = error

    def wake(self) -> None:
        self.wakes += 1

    def beat(self) -> None:
        self.beats += 1

    def facts(self) -> dict[str, object]:
        return {}


class Staying(Identity):
    """A user who may stay at every check."""

    async def look_again(self) -> bool:
        return True


def connection_of(
    user: Any,
    hub: Any,
    transport: FakeTransport | None = None,
    session: str = "",
    *,
    kind: type[Identity] = Identity,
) -> Connection:
    """Make the connection of a user without a session: a later check does not find the user."""
    identity = kind({}, user or AnonymousUser(), session)
    return Connection(identity, hub, transport or FakeTransport(), ticket_checks_of(hub))


_ticket_checks: WeakKeyDictionary[Any, TicketChecks] = WeakKeyDictionary()


def ticket_checks_of(hub: Any) -> TicketChecks:
    """Return the object that all connections of a hub share, as those of a server do."""
    if hub is None:
        return TicketChecks()
    return _ticket_checks.setdefault(hub, TicketChecks())


def frames_of(connection: Connection) -> list[Frame]:
    """Return the frames sent over a fake transport."""
    transport = connection.transport
    assert isinstance(transport, FakeTransport)
    return transport.frames
