"""`pace.js`: when a handler runs: at once, or after its share of a spread."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.news import News
from tests.convergence.imitation.tools import Tools

RESET_JITTER = 1.0
EVERYBODY = {"backend-restart", "server", "history-expired", "overflow", "bulk", "raw-sql"}
OURSELVES = {"unknown-cursor", "access"}
WOKEN = 10.0


class Pace:
    """Keeps thousands who are told at one moment from fetching at that moment."""

    def __init__(
        self, jitter: float | None, reset_jitter: float | None, gate: Gate, tools: Tools
    ) -> None:
        self.jitter = jitter
        self._reset_jitter = RESET_JITTER if reset_jitter is None else reset_jitter
        self._gate = gate
        self._tools = tools
        self._woken_at = -inf

    def wake(self) -> None:
        """Note that somebody looks at the page."""
        self._woken_at = self._tools.now()

    def wait(self, news: News, run: Callable[[], None]) -> Callable[[], None]:
        """Call back when it is time to run; return what calls it off. `await` in JavaScript."""
        width = self._width_for(news.reset)
        if width == 0:
            # What is fetched now serves those that wait, too.
            self._gate.open()
        return self._gate.wait(width, run)

    def _width_for(self, reset: str | None) -> float:
        is_woken = abs(self._tools.now() - self._woken_at) < WOKEN
        if is_woken or reset in OURSELVES:
            return 0
        if self.jitter is not None:
            return self.jitter
        return self._reset_jitter if reset in EVERYBODY else 0
