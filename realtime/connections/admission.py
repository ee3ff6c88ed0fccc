"""Admission of new connections, the same for all transports."""

from __future__ import annotations

import asyncio

from realtime.access.identity import Identifies, Identity, Scope
from realtime.access.ticket_checks import TicketChecks
from realtime.conf import conf
from realtime.connections.connection import Connection, Transport
from realtime.connections.registry import Connections
from realtime.connections.revocation import Revocation
from realtime.hub.hub import Hub
from realtime.protocol import CloseCode


class Admission:
    """Decides which clients may connect to an event loop, which owns it."""

    def __init__(
        self,
        connections: Connections,
        revocation: Revocation,
        loader: Identifies,
        hub: Hub,
        ticket_checks: TicketChecks,
    ) -> None:
        self._connections = connections
        self._revocation = revocation
        self._loader = loader
        self._hub = hub
        self._ticket_checks = ticket_checks

    async def identify(self, scope: Scope) -> Identity:
        """Find the user and session of a request; raise TimeoutError after HANDSHAKE_TIMEOUT."""
        async with asyncio.timeout(conf.HANDSHAKE_TIMEOUT):
            return await self._loader.identify(scope)

    def why_not(self, identity: Identity, began: float) -> CloseCode | None:
        """Return the close code with which this client is refused; None if it is admitted.

        `began` is the moment (`time.monotonic()`) before its identity was looked up.
        """
        if self._revocation.has_ended(identity.session, began):
            return CloseCode.NOT_AUTHENTICATED
        if identity.is_anonymous and not conf.ALLOW_ANONYMOUS:
            return CloseCode.NOT_AUTHENTICATED
        return self._connections.why_not(identity.key)

    def admit(self, identity: Identity, transport: Transport, began: float) -> Connection:
        """Return a client's connection, which is in the registry from now on.

        Call it without an await since `why_not()`, which counts the registered connections. If the
        user may have changed since `began`, the user is checked again.
        """
        connection = Connection(identity, self._hub, transport, self._ticket_checks)
        self._connections.add(connection)
        # Later changes find the connection in the registry.
        if self._revocation.may_have_changed(identity.key, began):
            connection.authorization.doubt_all()
        return connection
