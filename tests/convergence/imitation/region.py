"""`region.js`: content that is fetched anew when its topics change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.convergence.imitation.denials import Denials
from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.page import Fetched, Page
from tests.convergence.imitation.region_topics import Denial, RegionTopics
from tests.convergence.imitation.rounds import Rounds
from tests.convergence.imitation.tools import Tools


class Region:
    """Shows the rows of its topics.

    `topics` is its attribute, `shown` its content, and `named` what the page's address asks the
    server to put there.
    """

    def __init__(
        self,
        page: Page,
        live: Live,
        tools: Tools,
        topics: Sequence[str],
        jitter: float | None = None,
    ) -> None:
        self.topics = self.named = list(topics)
        self.shown: dict[str, dict[str, Any]] = {}
        self._document: Fetched
        self._jitter = jitter
        self._tools = tools
        self._watched = RegionTopics(live, self._told, self._deny)
        self._rounds = Rounds(page, self._apply)
        self._denials = Denials(page.looks, self._check)

    @property
    def denied(self) -> frozenset[str]:
        """The topics that it knows itself not to be told of; for CSS, `data-live-denied`."""
        return self._watched.denied

    def connect(self, page: Fetched) -> None:
        """Be put into the page with this markup."""
        self._document = page
        self._become(page)

    def set_topics(self, topics: list[str]) -> None:
        """Have the attribute changed by a script of the page, which was not rendered with it."""
        self.topics = self.named = topics
        self._watched.watch(topics, self._document.without_cursors(), self._jitter)

    async def navigate(self, topics: list[str]) -> None:
        """Have the server render it for other topics: the page has another address now."""
        self.named = topics
        await self._rounds.join()

    def _apply(self, fetched: Fetched) -> bool:
        if not set(self.named) <= fetched.rows.keys():
            return False
        self._become(fetched)
        return True

    def _become(self, fetched: Fetched) -> None:
        self.topics = self.named
        self.shown = {topic: dict(fetched.rows[topic]) for topic in self.topics}
        self._tools.note("applied", topics=self.topics, began=fetched.since)
        self._watched.watch(self.topics, fetched, self._jitter)

    async def _told(self, topic: str, news: News) -> None:
        self._denials.forget(topic)
        await self._rounds.join()

    def _deny(self, topic: str, denial: Denial) -> None:
        if denial.is_revoked:
            # Markup of before the end says nothing about what may be seen after it.
            self._rounds.abandon()
        elif denial.was_confirmed:
            # Its ticket is old: no reason to wait long.
            self._denials.forget(topic)
        self._denials.add(topic)

    def _check(self, topic: str) -> None:
        """See whether the page still names a topic that was denied; it is asked for again then."""

        async def look() -> None:
            try:
                await self._rounds.join()
            except Exception as error:
                self._tools.note("failed", error=repr(error))
                self._denials.add(topic)

        if topic in self.denied:
            self._tools.spawn(look())
