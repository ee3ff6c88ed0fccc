"""`client.js`: the page's live connection: what is watched, and how true it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.convergence.imitation.connection import Connection, Frame
from tests.convergence.imitation.runner import Handler
from tests.convergence.imitation.subscription import Options, Subscription
from tests.convergence.imitation.subscriptions import Subscriptions
from tests.convergence.imitation.tools import Tools


class Live:
    """Connects at once. `address` says where to go, asked before each attempt."""

    def __init__(self, address: Callable[[], str], tools: Tools) -> None:
        self._tools = tools
        self._restoring = False
        self._state_scheduled = False
        self.every: list[Subscription] = []
        """All there have ever been, for the harness."""
        self.connection = Connection(address, self, tools)
        self._subscriptions = Subscriptions(lambda: self.connection, tools, self._schedule_state)
        self.connection.open()
        self._schedule_state()

    @property
    def state(self) -> str:
        """How true the page is; `live` is what one wants."""
        if self.connection.state == "refused":
            return "refused"
        if self.connection.state == "open":
            if self._subscriptions.refused or self._subscriptions.lagging:
                return "stale"
            if self._subscriptions.confirmed:
                return "live"
        return "reconnecting" if self._restoring else "connecting"

    @property
    def settled(self) -> bool:
        """Is it live, but for topics that were refused, with no handler that runs or is owed?"""
        watched = self._subscriptions
        is_open = self.connection.state == "open" and watched.confirmed and not watched.lagging
        return is_open and all(each.runner.idle for each in watched.all())

    def subscribe(self, topic: str, options: Options, handler: Handler) -> Subscription:
        """Watch a topic."""
        subscription = self._subscriptions.subscribe(topic, options, handler)
        self.every.append(subscription)
        return subscription

    def renew_tickets(self, tickets: Mapping[str, str | None]) -> None:
        """Use fresh tickets from the next request on, by topic; others are passed over."""
        self._subscriptions.renew_tickets(tickets)

    def wake(self) -> None:
        """Make sure, now, that what is shown is true."""
        self.connection.wake()
        self._subscriptions.hurry()

    # What the connection calls.

    def opened(self) -> None:
        """Ask for everything."""
        self._subscriptions.opened()
        self._schedule_state()

    def lost(self) -> None:
        """Note that whatever was asked is void."""
        self._restoring = True
        self._subscriptions.lost()

    def received(self, frame: Frame) -> None:
        """Take a frame that is not the connection's own affair."""
        self._subscriptions.received(frame)

    def _schedule_state(self) -> None:
        if not self._state_scheduled:
            self._state_scheduled = True
            self._tools.soon(self._announce_state)

    def _announce_state(self) -> None:
        self._state_scheduled = False
        if self.connection.state == "open" and self._subscriptions.confirmed:
            self.connection.proved()
        if self.state == "live":
            self._restoring = False
        self._tools.news()
