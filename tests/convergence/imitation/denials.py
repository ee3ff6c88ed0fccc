"""`denials.js`: when one looks whether the page still shows what it is not told of."""

from __future__ import annotations

from collections.abc import Callable

from tests.convergence.imitation.backoff import Backoff
from tests.convergence.imitation.gate import Gate

LONGEST = 120.0


class Denials:
    """Looks soon, then rarely; all who share the gate look together."""

    def __init__(self, gate: Gate, look: Callable[[str], None]) -> None:
        self._gate = gate
        self._look = look
        self._pauses: dict[str, Backoff] = {}

    def add(self, topic: str) -> None:
        """Look at this topic after a pause, which is longer each time."""
        if topic not in self._pauses:
            # The gate draws the random share.
            self._pauses[topic] = Backoff(lambda: 1.0, cap=LONGEST)
        self._gate.wait(self._pauses[topic].next(), lambda: self._look(topic))

    def forget(self, topic: str) -> None:
        """Note that it was told or confirmed: another denial is another matter."""
        self._pauses.pop(topic, None)
