"""Asking a backend for its position, without which a page must be shown as well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from realtime.messages.cursors import NOWHERE, Cursor
from realtime.outbox.outage import Outage

logger = logging.getLogger("realtime.outbox")

PAUSE = 1.0
"""Seconds for which a backend that has not answered is not asked again: it may hang, and every page
would wait for that."""


class Positions:
    """Gives positions, or NOWHERE while the backend is away. Any thread may ask.

    A page that stands nowhere is reset when it subscribes, which it does once the backend is back:
    it has read what was committed, and reads once more what it can prove nothing about.
    """

    def __init__(self) -> None:
        self._outage = Outage("the backend gives no position", so="pages are reset later")
        self._not_before = 0.0

    def take(self, ask: Callable[[], Cursor]) -> Cursor:
        """Return what `ask()` returns, or NOWHERE if it raises or has just raised."""
        if monotonic() < self._not_before:
            return NOWHERE
        if self._outage.lasts:
            # Whoever comes while this one asks does not wait for the answer too.
            self._not_before = monotonic() + PAUSE
        try:
            found = ask()
        except Exception as error:
            self._outage.begin(error)
            self._not_before = monotonic() + PAUSE
            return NOWHERE
        self._not_before = 0.0
        if self._outage.end():
            logger.warning("the backend gives positions again")
        return found
