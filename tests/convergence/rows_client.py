"""A script that keeps rows by their keys, and fetches just those that it is told of."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any

from tests.convergence.clients import Client, Shown
from tests.convergence.imitation.denials import Denials
from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.news import News
from tests.convergence.imitation.page import Fetched, load
from tests.convergence.imitation.subscription import Options, Subscription


class RowsClient(Client):
    """Shows nothing of what it is denied, and asks for it again now and then.

    A topic that it shows has a subscription, unless the page that it was to begin with said
    nothing of it, as pages do of what may not be seen.
    """

    kind = "rows"

    def __init__(self, *args: Any, topics: Sequence[str]) -> None:
        super().__init__(*args)
        self._first = topics
        self._rows: Shown = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._denied: set[str] = set()
        self._denials = Denials(Gate(self.tools), self._look)

    @property
    def shown(self) -> Shown:
        return self._rows

    @property
    def denied(self) -> frozenset[str]:
        return frozenset(self._denied)

    @property
    def settled(self) -> bool:
        return super().settled and self._rows.keys() == self._subscriptions.keys() | self._denied

    async def _load(self) -> None:
        await self._add(self._first)

    async def _change(self, draw: Random) -> None:
        # The first shows the sentinels.
        dropped, added = draw.choice(list(self._rows)[1:]), self._another(draw, list(self._rows))
        await self._add([added])
        self._cancel(dropped)
        del self._rows[dropped]

    async def _add(self, topics: Sequence[str]) -> None:
        page = await load(self._fetch, list(topics))
        for topic in topics:
            self._take(topic, page)

    def _take(self, topic: str, page: Fetched) -> None:
        self._cancel(topic)
        self._rows[topic] = dict(page.rows[topic])
        if topic in page.entries:
            self._watch(topic, page)
        else:
            self._deny(topic, "not shown")

    def _watch(self, topic: str, page: Fetched) -> None:
        entry = page.entries[topic]
        options = Options(
            cursor=entry.cursor,
            ticket=entry.ticket,
            since=page.since,
            on_denied=partial(self._deny, topic),
        )

        async def told(news: News) -> None:
            self._denials.forget(topic)
            await self._refetch(topic, news, subscription)

        subscription = self._subscriptions[topic] = self.live.subscribe(topic, options, told)

    async def _refetch(self, topic: str, news: News, subscription: Subscription) -> None:
        query = "" if news.reset is not None else f"&pks={','.join(sorted(news.pks))}"
        began = time.monotonic()
        fetched = json.loads(await self._fetch(f"/rows/?topic={topic}{query}"))
        if self._subscriptions.get(topic) is not subscription or topic in self._denied:
            # What was fetched before access ended is not shown after it.
            return
        kept = {} if news.reset is not None else self._rows[topic]
        others = {pk: row for pk, row in kept.items() if pk not in news.pks}
        self._rows[topic] = others | fetched
        asked = news.reset or sorted(news.pks)
        self.tools.note("applied", topic=topic, asked=asked, got=fetched, began=began)

    def _deny(self, topic: str, reason: str) -> None:
        self._rows[topic] = {}
        self._denied.add(topic)
        self._denials.add(topic)

    def _look(self, topic: str) -> None:
        """Load it anew: the refusal may have been for a while."""

        async def again() -> None:
            try:
                page = await load(self._fetch, [topic])
            except Exception as error:
                self.tools.note("failed", error=repr(error))
                self._denials.add(topic)
            else:
                # It may have been dropped meanwhile.
                if topic in self._denied:
                    self._take(topic, page)

        if topic in self._denied:
            self.tools.spawn(again())

    def _cancel(self, topic: str) -> None:
        """Watch it no more; it may have been denied."""
        self._denied.discard(topic)
        if topic in self._subscriptions:
            self._subscriptions.pop(topic).cancel()
