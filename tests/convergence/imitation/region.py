"""`region.js` and `region_topics.js`: content that is fetched anew when its topics change."""

from __future__ import annotations

from typing import Any

from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.page import Fetched, Page, Rounds
from tests.convergence.imitation.subscription import Subscription
from tests.convergence.imitation.tools import Backoff, Tools

LONGEST_DENIAL = 120.0


class Region:
    """Shows the rows of its topics.

    `topics` is its attribute, `shown` its content, and `named` what the page's address asks the
    server to put there.
    """

    def __init__(self, page: Page, live: Live, tools: Tools, topics: list[str]) -> None:
        self.topics = self.named = topics
        self.shown: dict[str, dict[str, Any]] = {}
        self._live = live
        self._tools = tools
        self._rounds = Rounds(page, self._apply)
        self._subscriptions: dict[str, Subscription] = {}
        self._denied: dict[str, Subscription] = {}
        self._denials: dict[str, Backoff] = {}

    def connect(self, page: Fetched) -> None:
        """Be put into the page with this markup."""
        self._become(page)

    def set_topics(self, topics: list[str]) -> None:
        """Have the attribute changed by a script of the page, which knows no cursors."""
        self.topics = self.named = topics
        self._watch(None)

    async def navigate(self, topics: list[str]) -> None:
        """Have the server render it for other topics: the page has another address now."""
        self.named = topics
        await self.refetch()

    async def refetch(self) -> None:
        """Fetch the page and apply it."""
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
        self._watch(fetched)

    def _watch(self, head: Fetched | None) -> None:
        for topic in [topic for topic in self._subscriptions if topic not in self.topics]:
            self._subscriptions.pop(topic).cancel()
        for denied in self._denied.values():
            denied.cancel()
        self._denied.clear()
        for topic in self.topics:
            if topic not in self._subscriptions:
                self._watch_one(topic, head)

    def _watch_one(self, topic: str, head: Fetched | None) -> None:
        cursor = head.cursors.get(topic) if head else None
        subscription = self._live.subscribe(
            topic,
            cursor,
            lambda news: self._told(topic, news),
            catch_up=True,
            since=head.since if head and cursor else None,
            denied=lambda: self._deny(topic, subscription),
        )
        self._subscriptions[topic] = subscription

    async def _told(self, topic: str, news: News) -> None:
        self._denials.pop(topic, None)
        await self.refetch()

    def _deny(self, topic: str, subscription: Subscription) -> None:
        if self._subscriptions.get(topic) is subscription:
            del self._subscriptions[topic]
            self._denied[topic] = subscription
            self._check(topic)

    def _check(self, topic: str) -> None:
        """See whether the page still shows a topic that was refused; it is asked for again then."""
        if topic not in self._denials:
            self._denials[topic] = Backoff(self._tools, cap=LONGEST_DENIAL)
        self._tools.later(self._denials[topic].next(), lambda: self._recheck(topic))

    def _recheck(self, topic: str) -> None:
        async def again() -> None:
            try:
                await self.refetch()
            except Exception as error:
                self._tools.note("failed", error=repr(error))
                self._check(topic)

        if topic in self._denied:
            self._tools.spawn(again())
