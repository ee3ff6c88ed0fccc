"""`rounds.js`: one region's refetches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.convergence.imitation.http import NotAnswered
from tests.convergence.imitation.page import Fetched, Page


class Abandoned(NotAnswered):
    """The answer came, and is not to be used: access ended while the page was fetched."""


class Rounds:
    """All that a region is told before a fetch begins is applied once."""

    def __init__(self, page: Page, apply: Callable[[Fetched], bool]) -> None:
        """`apply` returns whether it could: not where the page has another address by now."""
        self._page = page
        self._apply = apply
        self._latest: tuple[asyncio.Task[Fetched], asyncio.Task[None]] | None = None
        self._age = 0
        """What was asked for in an earlier one is not applied any more."""

    async def join(self) -> None:
        """Fetch the page as it is after now, and return when it is applied."""
        answer = self._page.fresh()
        if self._latest is None or self._latest[0] is not answer:
            applied = self._page.tools.spawn(self._applied(answer, self._age))
            self._latest = (answer, applied)
        await asyncio.shield(self._latest[1])

    def abandon(self) -> None:
        """Apply nothing that was asked for up to now; it counts as failed."""
        self._age += 1
        self._latest = None

    async def _applied(self, answer: asyncio.Task[Fetched], age: int) -> None:
        while True:
            fetched = await asyncio.shield(answer)
            if age != self._age:
                raise Abandoned("access ended while the page was fetched")
            if self._apply(fetched):
                return
            answer = self._page.fresh()
