"""Sections that other packages add to a process's report in `manage.py realtime_status`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from realtime.registry import Registry
from realtime.server import Server

logger = logging.getLogger("realtime.status")

SECTIONS: Registry[Callable[[Server], Mapping[str, object]]] = Registry("section of the report")
"""Section -> function that returns its facts by name, convertible to JSON.

It is called on the server's event loop, so it must not block.
"""


def sections_here(server: Server) -> dict[str, dict[str, object]]:
    """Return all sections; one that raises is replaced by its `error`."""
    found: dict[str, dict[str, object]] = {}
    for name, read in SECTIONS.items():
        try:
            found[name] = dict(read(server))
        except Exception as error:
            logger.exception("cannot report %s", name)
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return found
