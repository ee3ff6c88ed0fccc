"""Whom a transport lets in; the same for all of them."""

from __future__ import annotations

from realtime.access.endings import endings
from realtime.access.identity import Identity
from realtime.conf import conf
from realtime.connections import Connections
from realtime.protocol import CloseCode


def why_not(connections: Connections, identity: Identity) -> CloseCode | None:
    """Return why this one is not let in; None if they are."""
    if endings.has_ended(identity.session):
        return CloseCode.NOT_AUTHENTICATED
    if identity.is_anonymous and not conf.ALLOW_ANONYMOUS:
        return CloseCode.NOT_AUTHENTICATED
    return connections.why_not(identity.key)
