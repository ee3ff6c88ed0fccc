"""Clients that show rows: a page with regions, or a script that fetches the rows it is told of."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from tests.convergence.imitation.http import fetch
from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.page import Page, load
from tests.convergence.imitation.region import Region
from tests.convergence.imitation.subscription import Subscription
from tests.convergence.imitation.tools import Backoff, Tools

HOST = "127.0.0.1"
PACE = 0.2
FETCH_TIMEOUT = 20.0 * PACE
WANDERING = (0.5, 5.0)
"""Seconds between two changes of what a client watches, for those that change it."""

Shown = dict[str, dict[str, Any]]


class Client:
    """What both kinds share: an address book of servers, a connection, a notebook."""

    kind = ""

    def __init__(
        self, name: str, topics: Sequence[str], ports: Sequence[int], tools: Tools
    ) -> None:
        self.name = name
        self.tools = tools
        self.loaded = False
        self._ports = ports
        self._backoff = Backoff(tools)
        self._choice = list(topics)
        self.live = Live(lambda: f"ws://{HOST}:{self._port()}/ws/live/", tools)

    @property
    def shown(self) -> Shown:
        """The rows that its user sees now, by topic."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Does it believe that what it shows is true?"""
        return self.loaded and self.live.state == "live" and self.live.idle

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
        return await fetch(HOST, self._port(), path, FETCH_TIMEOUT)

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
        self._page = Page(self._fetch, self._named, self.tools)
        self.regions = [Region(self._page, self.live, self.tools, each) for each in regions]

    @property
    def shown(self) -> Shown:
        return {topic: rows for region in self.regions for topic, rows in region.shown.items()}

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


class RowsClient(Client):
    """A script that keeps rows by their keys, and fetches just those that it is told of."""

    kind = "rows"

    def __init__(self, *args: Any, topics: Sequence[str]) -> None:
        super().__init__(*args)
        self._first = topics
        self._rows: Shown = {}
        self._subscriptions: dict[str, Subscription] = {}

    @property
    def shown(self) -> Shown:
        return self._rows

    @property
    def settled(self) -> bool:
        return super().settled and self._rows.keys() == self._subscriptions.keys()

    async def _load(self) -> None:
        await self._add(self._first)

    async def _change(self, draw: Random) -> None:
        # The first shows the sentinels.
        dropped, added = draw.choice(list(self._rows)[1:]), self._another(draw, list(self._rows))
        await self._add([added])
        self._subscriptions.pop(dropped).cancel()
        del self._rows[dropped]

    async def _add(self, topics: Sequence[str]) -> None:
        page = await load(self._fetch, list(topics))
        for topic in topics:
            self._rows[topic] = dict(page.rows[topic])
            self._subscriptions[topic] = self.live.subscribe(
                topic,
                page.cursors[topic],
                partial(self._told, topic),
                since=page.since,
                denied=lambda topic=topic: self._denied(topic),
            )

    async def _told(self, topic: str, news: News) -> None:
        query = "" if news.reset is not None else f"&pks={','.join(sorted(news.pks))}"
        began = time.monotonic()
        fetched = json.loads(await self._fetch(f"/rows/?topic={topic}{query}"))
        if topic not in self._rows:
            return
        kept = {} if news.reset is not None else self._rows[topic]
        others = {pk: row for pk, row in kept.items() if pk not in news.pks}
        self._rows[topic] = others | fetched
        asked = news.reset or sorted(news.pks)
        self.tools.note("applied", topic=topic, asked=asked, got=fetched, began=began)

    def _denied(self, topic: str) -> None:
        """Load it anew: the refusal may have been for a moment."""

        async def again() -> None:
            await asyncio.sleep(self._backoff.next() * self.tools.pace)
            if topic in self._rows:
                self._subscriptions[topic].cancel()
                await self._until_done(partial(self._add, [topic]))

        self.tools.spawn(again())
