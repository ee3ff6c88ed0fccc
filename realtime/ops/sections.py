"""What other packages add to a process's report in `manage.py realtime_status`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from realtime.registry import Registry
from realtime.server import Server

logger = logging.getLogger("realtime.status")

SECTIONS: Registry[Callable[[Server], Mapping[str, object]]] = Registry("section of the report")
"""What gives each section: facts by name, which can be written as JSON.

Called on the event loop of the server: it must not block.
"""


def sections_here(server: Server) -> dict[str, dict[str, object]]:
    """Return every section; one that fails says so, and hides none of the others."""
    found: dict[str, dict[str, object]] = {}
    for name, read in SECTIONS.items():
        try:
            found[name] = dict(read(server))
        except Exception as error:
            logger.exception("cannot report %s", name)
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return found
