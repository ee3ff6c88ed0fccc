"""`gate.js`: random waits that end together: the first whose time has come lets all go."""

from __future__ import annotations

from collections.abc import Callable

from tests.convergence.imitation.tools import Timer, Tools

Go = Callable[[], None]


class Gate:
    """Spreads a crowd, and not what one page fetches once for all."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._share: float | None = None
        """This round's share of the widths."""
        self._waiting: dict[object, tuple[Go, Timer]] = {}
        self._is_open = False

    def wait(self, width: float, go: Go) -> Go:
        """Wait for something between nothing and the width; return what stops waiting."""
        if self._is_open:
            go()
            return lambda: None
        if self._share is None:
            self._share = self._tools.random.random()
        place = object()
        self._waiting[place] = (go, self._tools.later(self._share * width, self.open))
        return lambda: self._leave(place)

    def open(self) -> None:
        """Let all go that wait now, and all that come in this turn."""
        self._is_open = True
        self._tools.soon(self._close)
        for place, (go, _) in list(self._waiting.items()):
            if place in self._waiting:
                self._leave(place)
                go()

    def _close(self) -> None:
        self._is_open = False

    def _leave(self, place: object) -> None:
        if place in self._waiting:
            self._waiting.pop(place)[1].cancel()
        if not self._waiting:
            self._share = None
