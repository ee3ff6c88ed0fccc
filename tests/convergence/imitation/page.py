"""`page.js`, `rounds.js` and `head.js`: the page, fetched anew for all its regions together."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.convergence.imitation.tools import Tools

SCRIPT = '<script id="{}" type="application/json">(.*?)</script>'
HEAD, ROWS = (re.compile(SCRIPT.format(name), re.DOTALL) for name in ("live-head", "rows"))

Fetch = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: its rows by topic, where each topic stands, and when it was asked for."""

    rows: Mapping[str, dict[str, list[Any]]]
    cursors: Mapping[str, str]
    since: float


async def load(fetch: Fetch, topics: list[str]) -> Fetched:
    """Load the page that shows these topics."""
    since = time.monotonic()
    text = await fetch("/page/?" + "&".join(f"topic={topic}" for topic in topics))
    head = json.loads(HEAD.search(text)[1])  # type: ignore[index]
    cursors: dict[str, str] = {}
    for entry in head["topics"]:
        cursors.setdefault(entry["topic"], entry["cursor"])
    return Fetched(json.loads(ROWS.search(text)[1]), cursors, since)  # type: ignore[index]


class Page:
    """Fetches one page, one fetch at a time. Who asks gets one that began after it asked."""

    def __init__(self, fetch: Fetch, topics: Callable[[], list[str]], tools: Tools) -> None:
        self._fetch = fetch
        self._topics = topics
        self._tools = tools
        self._next: asyncio.Task[Fetched] | None = None
        self._before: asyncio.Task[Fetched] | None = None

    def fresh(self) -> asyncio.Task[Fetched]:
        """Get the page as it is now or later."""
        if self._tools.careless:
            return self._tools.spawn(self._load())
        if self._next is None:
            self._next = self._tools.spawn(self._fetch_after(self._before))
            self._before = self._next
        return self._next

    async def _fetch_after(self, before: asyncio.Task[Fetched] | None) -> Fetched:
        if before is not None:
            await asyncio.wait([before])
        # The regions apply the previous answer first; what they owe then joins this fetch.
        await asyncio.sleep(0.001)
        self._next = None
        return await self._load()

    async def _load(self) -> Fetched:
        while True:
            topics = self._topics()
            fetched = await load(self._fetch, topics)
            # Navigated meanwhile: this is another page.
            if topics == self._topics():
                return fetched


class Rounds:
    """One region's refetches: all that it is told before a fetch begins is applied once."""

    def __init__(self, page: Page, apply: Callable[[Fetched], bool]) -> None:
        """`apply` returns whether it could: not where the page has another address by now."""
        self._page = page
        self._apply = apply
        self._latest: tuple[asyncio.Task[Fetched], asyncio.Future[None]] | None = None
        self._tools = page._tools

    async def join(self) -> None:
        """Fetch the page as it is after now, and return when it is applied."""
        answer = self._page.fresh()
        if self._latest is None or self._latest[0] is not answer:
            self._latest = (answer, self._tools.spawn(self._applied(answer)))
        await asyncio.shield(self._latest[1])

    async def _applied(self, answer: asyncio.Task[Fetched]) -> None:
        while not self._apply(await asyncio.shield(answer)):
            answer = self._page.fresh()
