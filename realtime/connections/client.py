"""The part of a connection's interface that its own parts use."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from realtime.access.identity import Identity
from realtime.access.ticket_checks import TicketChecks
from realtime.connections.subscriptions import Subscriptions
from realtime.hub.hub import Hub
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Frame


class Client(Protocol):
    """What the parts of a connection need of it; it owns them."""

    identity: Identity
    hub: Hub
    subscriptions: Subscriptions[Topic]
    ticket_checks: TicketChecks
    has_ended: bool

    @property
    def user(self) -> Any:
        """The user, as of the last check."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that ends with the connection."""

    def leave(self, topics: Iterable[Topic]) -> list[Topic]:
        """End subscriptions; return the topics to pass to the hub's `unwatch()`."""

    async def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """End subscriptions, in whatever state they are."""

    async def send(self, frame: Frame) -> None:
        """Send a frame."""

    async def close(self, code: CloseCode) -> None:
        """Close the connection."""
