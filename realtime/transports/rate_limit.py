"""A token bucket that limits a client's frames."""

from __future__ import annotations

from time import monotonic

BURST = 2.0
"""Seconds' worth of frames that may arrive at once: a page that opens sends many in a moment."""


class RateLimit:
    """Counts a client's frames. Owner: the task that reads them."""

    __slots__ = ("_left", "_looked")

    def __init__(self, a_second: float) -> None:
        self._left = a_second * BURST
        self._looked = monotonic()

    def is_too_many(self, a_second: float) -> bool:
        """Count one frame; return True if more than `a_second` have arrived for too long."""
        now = monotonic()
        earned = (now - self._looked) * a_second
        self._left = min(a_second * BURST, self._left + earned) - 1
        self._looked = now
        return self._left < 0
