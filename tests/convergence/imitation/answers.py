"""`answers.js`: that all which one connection was asked for is answered in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.convergence.imitation.tools import Timer, Tools

ANSWER_TIMEOUT = 30.0


class Answers:
    """Awaits an answer for each topic; they may come in parts. Calls `overdue` if one does not."""

    def __init__(self, tools: Tools, overdue: Callable[[], None]) -> None:
        self._tools = tools
        self._overdue = overdue
        self._asked: dict[str, float] = {}
        """When each was asked for, the oldest first."""
        self._timer: Timer | None = None

    def expect(self, topics: Iterable[str]) -> None:
        """Note what the server is asked for now; `await` in JavaScript."""
        now = self._tools.now()
        self._asked.update(dict.fromkeys(topics, now))
        self._set_timer()

    def came(self, topic: str) -> None:
        """Note that a topic was confirmed or denied."""
        self._asked.pop(topic, None)
        if not self._asked:
            self.clear()

    def clear(self) -> None:
        """Await nothing more: the connection is lost."""
        self._asked.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        oldest = next(iter(self._asked.values()), None)
        if oldest is None or self._timer is not None:
            return
        left = oldest + ANSWER_TIMEOUT - self._tools.now()
        self._timer = self._tools.later(min(left, ANSWER_TIMEOUT), lambda: self._look(oldest))

    def _look(self, expected: float) -> None:
        self._timer = None
        if next(iter(self._asked.values())) > expected:
            self._set_timer()
            return
        self._tools.note("overdue", topics=list(self._asked))
        self.clear()
        self._overdue()
