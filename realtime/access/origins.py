"""Where a page is from: only those of our own hosts may open a connection with a user's cookies."""

from __future__ import annotations

from urllib.parse import urlsplit

from channels.security.websocket import AllowedHostsOriginValidator


def is_ours(origin: str | None) -> bool:
    """Is this `Origin` one of ALLOWED_HOSTS? None is none, and one that cannot be read is not."""
    try:
        found = None if origin is None else urlsplit(origin)
        if found is not None:
            _ = found.port  # which is read, and may be none, only when it is asked for
    except ValueError:
        return False
    return bool(AllowedHostsOriginValidator(None).valid_origin(found))
