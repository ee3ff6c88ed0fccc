"""Which clients are let in: the same for all transports."""

from __future__ import annotations

import asyncio

from realtime.access.identity import Identifies, Identity, Scope
from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.registry import Connections
from realtime.connections.revocation import Revocation
from realtime.protocol import CloseCode


class Admission:
    """Decides who may come in, among the connections that are there. Owner: an event loop."""

    def __init__(
        self, connections: Connections, revocation: Revocation, loader: Identifies
    ) -> None:
        self._connections = connections
        self._revocation = revocation
        self._loader = loader

    async def identify(self, scope: Scope) -> Identity:
        """Find out whose connection this is; raise TimeoutError above HANDSHAKE_TIMEOUT."""
        async with asyncio.timeout(conf.HANDSHAKE_TIMEOUT):
            return await self._loader.identify(scope)

    def why_not(self, identity: Identity, began: float) -> CloseCode | None:
        """Return why this one is not let in; None if they are.

        `began` is when finding out who it is began (`time.monotonic()`).
        """
        if self._revocation.has_ended(identity.session, began):
            return CloseCode.NOT_AUTHENTICATED
        if identity.is_anonymous and not conf.ALLOW_ANONYMOUS:
            return CloseCode.NOT_AUTHENTICATED
        return self._connections.why_not(identity.key)

    def look_again_if_changed(self, connection: Connection, began: float) -> None:
        """Look at a user again who was said to have changed while we found out who it is.

        Call it once the connection can be found by whatever changes from then on.
        """
        if self._revocation.may_have_changed(connection.identity.key, began):
            connection.authorization.doubt_all()
