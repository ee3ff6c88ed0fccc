"""Clients that show rows: what all of them are, and those that are pages with regions.

Scripts are in `rows_client.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from tests.convergence.imitation.backoff import Backoff
from tests.convergence.imitation.http import fetch
from tests.convergence.imitation.live import Live
from tests.convergence.imitation.page import Page, load
from tests.convergence.imitation.region import Region
from tests.convergence.imitation.tools import Tools

HOST = "127.0.0.1"
PACE = 0.2
FETCH_TIMEOUT = 20.0 * PACE
WANDERING = (0.5, 5.0)
"""Seconds between two changes of what a client watches, for those that change it."""
JITTER = 1.0
"""Over so many seconds of a browser's time a page's last region spreads its refetches."""

Shown = dict[str, dict[str, Any]]


class Client:
    """What both kinds share: an address book of servers, a connection, a notebook."""

    kind = ""

    def __init__(
        self, name: str, viewer: str, topics: Sequence[str], ports: Sequence[int], tools: Tools
    ) -> None:
        self.name = name
        self.viewer = viewer
        """The key of the person who looks."""
        self.tools = tools
        self.loaded = False
        self.counts, self.events = tools.counts, tools.events
        self._ports = ports
        self._backoff = Backoff(tools.random.random)
        self._choice = list(topics)
        self.live = Live(lambda: f"ws://{HOST}:{self._port()}/ws/live/", tools)
        self.watches = self.live.every

    @property
    def state(self) -> str:
        return self.live.state

    @property
    def shown(self) -> Shown:
        """The rows that its user sees now, by topic."""
        raise NotImplementedError

    @property
    def denied(self) -> frozenset[str]:
        """Those topics of `shown` that it knows itself not to be told of."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Does it believe that what it shows is true, and nothing of what is denied?"""
        hides = not any(self.shown.get(topic) for topic in self.denied)
        return self.loaded and self.live.settled and hides

    async def start(self) -> None:
        """Load what it shows."""
        await self._until_done(self._load)
        self.loaded = True
        self.tools.news()

    async def wander(self, stopped: asyncio.Event) -> None:
        """Change what is watched, now and then, until told to stop."""
        draw = self.tools.random
        while not stopped.is_set():
            try:
                await asyncio.wait_for(stopped.wait(), draw.uniform(*WANDERING))
            except TimeoutError:
                if self.loaded:
                    await self._until_done(partial(self._change, draw))

    async def end(self) -> None:
        """Leave the page."""
        self.live.connection.close()
        await self.tools.end()

    async def _load(self) -> None:
        raise NotImplementedError

    async def _change(self, draw: Random) -> None:
        raise NotImplementedError

    async def _fetch(self, path: str) -> str:
        self.tools.counts["fetch"] += 1
        return await fetch(HOST, self._port(), path, self.tools.cookie, FETCH_TIMEOUT)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try, as a user does who reloads a page that does not come."""
        while True:
            try:
                await work()
            except Exception as error:
                self.tools.note("failed", error=repr(error))
                await asyncio.sleep(self._backoff.next() * self.tools.pace)
            else:
                self._backoff.reset()
                return

    def _port(self) -> int:
        return self.tools.random.choice(self._ports)

    def _another(self, draw: Random, watched: Sequence[str]) -> str:
        return draw.choice([topic for topic in self._choice if topic not in watched])


class PageClient(Client):
    """A page of `<live-region>` elements, which are all rendered by one address."""

    kind = "page"

    def __init__(self, *args: Any, regions: Sequence[list[str]]) -> None:
        super().__init__(*args)
        page = Page(self._fetch, self._named, self.tools, self.live.renew_tickets)
        *others, last = regions
        self.regions = [Region(page, self.live, self.tools, each) for each in others]
        self.regions.append(Region(page, self.live, self.tools, last, jitter=JITTER))

    @property
    def shown(self) -> Shown:
        return {topic: rows for region in self.regions for topic, rows in region.shown.items()}

    @property
    def denied(self) -> frozenset[str]:
        return frozenset().union(*(region.denied for region in self.regions))

    async def _load(self) -> None:
        page = await load(self._fetch, self._named())
        for region in self.regions:
            region.connect(page)

    async def _change(self, draw: Random) -> None:
        # The first shows the sentinels.
        region = draw.choice(self.regions[1:])
        topics = [*region.named[1:], self._another(draw, self._named())]
        if draw.random() < 0.5:
            region.set_topics(topics)
        else:
            await region.navigate(topics)

    def _named(self) -> list[str]:
        return [topic for region in self.regions for topic in region.named]
