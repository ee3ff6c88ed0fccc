"""Saying once that something is away, and once that it is back."""

from __future__ import annotations

import logging

logger = logging.getLogger("realtime.outbox")


class Outage:
    """Is `what` away? Owner: one thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.lasts = False

    def begin(self, error: BaseException) -> None:
        """Note that it is away; log an error unless that is known."""
        if not self.lasts:
            logger.error("%s: %s; messages wait in the outbox", self._what, error)
        self.lasts = True

    def end(self) -> bool:
        """Note that it works; say whether it was away."""
        ended, self.lasts = self.lasts, False
        return ended
