"""`page.js` and `head.js`: the page, fetched anew for all its regions together."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.tools import Tools

SCRIPT = '<script id="{}" type="application/json">(.*?)</script>'
HEAD, ROWS = (re.compile(SCRIPT.format(name), re.DOTALL) for name in ("live-head", "rows"))

Fetch = Callable[[str], Awaitable[str]]
Rows = dict[str, list[Any]]
Renew = Callable[[Mapping[str, str | None]], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a rendered topic stands."""

    cursor: str | None = None
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: its rows by topic, where each stands that it watches, and when it was asked for."""

    rows: Mapping[str, Rows]
    entries: Mapping[str, Entry]
    jitter: float | None
    since: float

    @property
    def tickets(self) -> dict[str, str | None]:
        """Those that came with it, by topic."""
        return {topic: entry.ticket for topic, entry in self.entries.items()}

    def without_cursors(self) -> Fetched:
        """Return the same head for content that was not rendered with it."""
        entries = {topic: Entry(None, entry.ticket) for topic, entry in self.entries.items()}
        return replace(self, entries=entries)


async def load(fetch: Fetch, topics: list[str]) -> Fetched:
    """Load the page that shows these topics."""
    since = time.monotonic()
    text = await fetch("/page/?" + "&".join(f"topic={topic}" for topic in topics))
    head = json.loads(HEAD.search(text)[1])  # type: ignore[index]
    entries: dict[str, Entry] = {}
    for each in head.get("topics", ()):
        entries.setdefault(each["topic"], Entry(each.get("cursor"), each.get("ticket")))
    jitter = head.get("jitter")
    rows = json.loads(ROWS.search(text)[1])  # type: ignore[index]
    return Fetched(rows, entries, None if jitter is None else jitter / 1000, since)


class Page:
    """Fetches one page, one fetch at a time. Who asks gets one that began after it asked.

    `topics` says what its address names; `renew` is given the tickets of each.
    """

    def __init__(
        self, fetch: Fetch, topics: Callable[[], list[str]], tools: Tools, renew: Renew
    ) -> None:
        self.looks = Gate(tools)
        """Where all its regions wait to look for what was denied; a module's in `denials.js`."""
        self.tools = tools
        self._fetch = fetch
        self._topics = topics
        self._renew = renew
        self._next: asyncio.Task[Fetched] | None = None
        self._before: asyncio.Task[Fetched] | None = None

    def fresh(self) -> asyncio.Task[Fetched]:
        """Get the page as it is now or later."""
        if self.tools.careless:
            return self.tools.spawn(self._load())
        if self._next is None:
            self._next = self.tools.spawn(self._fetch_after(self._before))
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
                self._renew(fetched.tickets)
                return fetched
