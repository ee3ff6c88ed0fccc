"""Whom a transport lets in; the same for all of them."""

from __future__ import annotations

import asyncio

from realtime.access.identity import Identity, Scope, identify
from realtime.conf import conf
from realtime.connections.connection import Connection
from realtime.connections.registry import Connections
from realtime.connections.revocation import revocation
from realtime.protocol import CloseCode


async def identify_in_time(scope: Scope) -> Identity:
    """Find out whose connection this is; raise TimeoutError above HANDSHAKE_TIMEOUT."""
    async with asyncio.timeout(conf.HANDSHAKE_TIMEOUT):
        return await identify(scope)


def why_not(connections: Connections, identity: Identity, began: float) -> CloseCode | None:
    """Return why this one is not let in; None if they are.

    `began` is when finding out who it is began (`time.monotonic()`).
    """
    if revocation.has_ended(identity.session, began):
        return CloseCode.NOT_AUTHENTICATED
    if identity.is_anonymous and not conf.ALLOW_ANONYMOUS:
        return CloseCode.NOT_AUTHENTICATED
    return connections.why_not(identity.key)


def look_again_if_changed(connection: Connection, began: float) -> None:
    """Look at a user again who was said to have changed while we found out who it is.

    Call it once the connection can be found by whatever changes from then on.
    """
    if revocation.may_have_changed(connection.identity.key, began):
        connection.authorization.doubt_all()
