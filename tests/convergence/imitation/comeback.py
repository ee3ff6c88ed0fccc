"""`comeback.js`: what a close code asks of a client that wants to come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.convergence.imitation.backoff import Backoff

STABLE_AFTER = 10.0
SLOW, SLOWEST = 30.0, 300.0
HURRIED_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one close code says."""

    refused: bool = False
    slow: bool = False
    spread: float = 0.0


ORDINARY = Meaning()
MEANINGS = {
    **dict.fromkeys((4400, 4413, 4429, 4504), Meaning(slow=True)),
    **dict.fromkeys((4401, 4403), Meaning(slow=True, refused=True)),
    **dict.fromkeys((4503, 1012, 1013), Meaning(spread=5.0)),
}


class Comeback:
    """Decides when to come back after a connection ended."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._backoff = Backoff(random)
        self._slow_backoff = Backoff(random, base=SLOW, cap=SLOWEST - SLOW)
        self._hurried = False

    def after(self, code: int, served: float) -> tuple[bool, float]:
        """Return whether we were refused, and how long to wait.

        `served` says for how long all that was asked for was answered.
        """
        meaning = MEANINGS.get(code, ORDINARY)
        self._hurried = False
        if served >= STABLE_AFTER:
            self._backoff.reset()
            self._slow_backoff.reset()
        if meaning.slow:
            return meaning.refused, SLOW + self._slow_backoff.next()
        return meaning.refused, self._backoff.next(meaning.spread)

    def hurried(self) -> float | None:
        """Return a shorter wait for a page that woke up; None if it was shortened already."""
        if self._hurried:
            return None
        self._hurried = True
        return self._random() * HURRIED_WAIT
