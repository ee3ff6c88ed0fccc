"""`liveness.js`: whether a connection still lives. The clock decides, for timers sleep too."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from tests.convergence.imitation.tools import Timer, Tools

SILENT_HEARTBEATS = 2.5
LOOK = 5.0
PROBE_TIMEOUT = 3.0


class Liveness:
    """Judges one connection after another; calls `died` once for each that seems dead."""

    def __init__(self, tools: Tools, died: Callable[[], None]) -> None:
        self._tools = tools
        self._died = died
        self._silence = inf
        self._heard_at = 0.0
        self._look: Timer | None = None
        self._probe: Timer | None = None

    @property
    def is_overdue(self) -> bool:
        """Has more time passed since the last frame than a live connection would let pass?"""
        return self._tools.now() - self._heard_at >= self._silence

    def start(self, heartbeat: float) -> None:
        """Begin to expect something at least every so often."""
        # The server's own time, so it is not shortened.
        self._silence = heartbeat * SILENT_HEARTBEATS / self._tools.pace
        self.heard()
        self._watch()

    def heard(self) -> None:
        """Note that anything at all was heard."""
        self._heard_at = self._tools.now()

    def probe(self, ping: Callable[[], None]) -> None:
        """Demand a sign of life now; `ping` sends the question."""
        if self._probe is None:
            self._probe = self._tools.later(PROBE_TIMEOUT, self._end)
            ping()

    def ponged(self) -> None:
        """Note that the probe was answered."""
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def stop(self) -> None:
        """Stop judging: the connection is gone or given up."""
        self.ponged()
        if self._look is not None:
            self._look.cancel()
            self._look = None
        self._silence = inf

    def _watch(self) -> None:
        if self.is_overdue:
            self._end()
            return
        now = self._tools.now()
        self._heard_at = min(self._heard_at, now)
        left = self._heard_at + self._silence - now
        self._look = self._tools.later(min(LOOK, left), self._watch)

    def _end(self) -> None:
        self.stop()
        self._died()
