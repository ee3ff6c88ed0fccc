"""`backoff.js`: how long to wait before the next try: exponential, with full jitter."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Counts failures. Seconds of a browser's time."""

    def __init__(self, random: Callable[[], float], base: float = 1.0, cap: float = 30.0) -> None:
        self._random = random
        self._base = base
        self._cap = cap
        self._failures = 0

    def next(self, spread: float = 0.0) -> float:
        """Count one failure and return the seconds to wait after it; `spread` is the least width.

        Python's powers overflow where JavaScript's become infinite, so their exponent is bounded.
        """
        ceiling: float = min(self._cap, self._base * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._random() * max(spread, ceiling)

    def reset(self) -> None:
        """Forget the failures."""
        self._failures = 0
