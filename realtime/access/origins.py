"""Check origins: only pages of the project's hosts may connect with a user's cookies."""

from __future__ import annotations

from urllib.parse import urlsplit

from channels.security.websocket import AllowedHostsOriginValidator


def is_ours(origin: str | None) -> bool:
    """Return whether this `Origin` is of ALLOWED_HOSTS; None means none, a malformed one is not."""
    try:
        found = None if origin is None else urlsplit(origin)
        if found is not None:
            _ = found.port  # parsed only here: raises ValueError if it is no port
    except ValueError:
        return False
    return bool(AllowedHostsOriginValidator(None).valid_origin(found))
