"""Find the user of a connection: the token's, or without a token the session's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.tokens.models import Token, digest_of
from realtime.access.identity import session_user

PREFIX = "token."


def token_or_session_user(scope: Mapping[str, Any]) -> Any:
    """Return the user of a connection; None refuses it."""
    token = token_of(scope)
    if token is None:
        return session_user(scope)
    found = Token.objects.filter(digest=digest_of(token)).select_related("user").first()
    return found.user if found is not None and found.user.is_active else None


def token_of(scope: Mapping[str, Any]) -> str | None:
    """Return the token of a websocket's subprotocol, or of a request's Authorization header."""
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(PREFIX):
            return str(offered.removeprefix(PREFIX))
    for name, value in scope.get("headers", ()):
        kind, _, token = value.decode("latin-1").partition(" ")
        if name == b"authorization" and kind.lower() == "bearer":
            return str(token.strip())
    return None
