"""System checks: who is let in, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from realtime.conf import conf


@register
def check_authenticate(**_: Any) -> list[CheckMessage]:
    """Import the function that finds users: else nobody could connect."""
    if not isinstance(getattr(settings, "REALTIME", {}), Mapping):
        return []  # another check's finding
    path = conf.AUTHENTICATE
    try:
        found = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        what = f"REALTIME['AUTHENTICATE'] = {path!r} cannot be imported: {error}"
    else:
        if callable(found):
            return []
        what = f"expected REALTIME['AUTHENTICATE'] to name a function, got {found!r}"
    hint = "Name a function that is given an ASGI scope and returns a user or None."
    return [Error(what, hint=hint, id="realtime.E008")]


@register(deploy=True)
def check_origins(**_: Any) -> list[CheckMessage]:
    """Notice that every origin is let in."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    what = (
        "ALLOWED_HOSTS lets in every host, and so pages of every site may open sockets with the"
        " cookies of their visitors"
    )
    return [checks.Warning(what, hint="Name the hosts of this site.", id="realtime.W007")]
