"""`renewal.js`: a fresh ticket for a topic that was denied; the old one may have expired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.convergence.imitation.backoff import Backoff
from tests.convergence.imitation.tools import Timer, Tools

OVERDUE = 30.0


@dataclass(frozen=True, slots=True)
class Renewed:
    """What came: a ticket, and where what is shown stands."""

    ticket: str | None = None
    cursor: str | None = None


Renew = Callable[[], Awaitable[Renewed | None]]
Done = Callable[[Renewed | None], None]


class Renewal:
    """Gets one ticket a connection, after pauses that grow until the server has confirmed."""

    def __init__(self, renew: Renew | None, tools: Tools) -> None:
        self._renew = renew
        self._tools = tools
        self._backoff = Backoff(tools.random.random)
        self._is_spent = False
        self._timer: Timer | None = None
        self._attempt: object | None = None

    @property
    def is_under_way(self) -> bool:
        """Is a ticket awaited? The server is not asked before."""
        return self._attempt is not None

    @property
    def is_possible(self) -> bool:
        """Is there hope for a ticket on this connection?"""
        return self._renew is not None and not self._is_spent

    def begin(self, done: Done) -> None:
        """Get a ticket."""
        self._is_spent = True
        attempt = self._attempt = object()

        def settle(renewed: Renewed | None) -> None:
            if self._attempt is attempt:
                self.stop()
                done(renewed)

        async def ask() -> None:
            settle(await self._ask())

        def start() -> None:
            self._timer = self._tools.later(OVERDUE, lambda: settle(None))
            self._tools.spawn(ask())

        self._timer = self._tools.later(self._backoff.next(), start)

    def succeeded(self) -> None:
        """Note that the server has confirmed."""
        self._backoff.reset()

    def connection_lost(self) -> None:
        """Note that another connection may ask for another ticket."""
        self._is_spent = False

    def stop(self) -> None:
        """Await no ticket any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._attempt = None

    async def _ask(self) -> Renewed | None:
        assert self._renew is not None
        try:
            return await self._renew()
        except Exception as error:
            self._tools.note("failed", error=repr(error))
            return None
