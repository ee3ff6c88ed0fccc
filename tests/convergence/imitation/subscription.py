"""`subscription.js` and `watched_topic.js`: watches of topics, and the topic on the wire."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.convergence.imitation.news import News
from tests.convergence.imitation.runner import Handler, Runner
from tests.convergence.imitation.tools import Tools

Told = tuple[str, str]
"""A row that a client was told of: label and key."""


class Subscription:
    """One handler's watch of one topic, from its own cursor.

    For the harness it counts how often it was told of each row, since when.
    """

    def __init__(
        self,
        topic: str,
        cursor: str | None,
        handler: Handler,
        tools: Tools,
        *,
        catch_up: bool = False,
        since: float | None = None,
        denied: Callable[[], None] = lambda: None,
        cancelled: Callable[[Subscription], None],
    ) -> None:
        self.topic = topic
        self.confirmed = False
        self.since = time.monotonic() if since is None else since
        self.told: Counter[Told] = Counter()
        self.runner = Runner(handler, cursor, tools)
        self._tools = tools
        self._catch_up = catch_up
        self._denied = denied
        self._cancelled = cancelled
        self._asked: str | None = None

    @property
    def cursor(self) -> str | None:
        """All up to here has been applied."""
        return self.runner.cursor

    def cancel(self) -> None:
        """Watch no more."""
        self.runner.stop()
        self._cancelled(self)

    def ask(self) -> str | None:
        """Return the cursor to ask with, and remember it."""
        self._asked = self.cursor
        return self._asked

    def confirm(self, cursor: str | None) -> None:
        """Note that the server answered."""
        self.confirmed = True
        if self._asked is not None:
            return
        if self._catch_up:
            self.runner.tell(News("unknown-cursor", cursor=cursor))
        else:
            self.runner.start_from(cursor)

    def tell(self, news: News) -> None:
        """Take news; before the confirmation its cursor must not be taken over."""
        self.told.update((label, pk) for label, verbs in news.rows.items() for pk in verbs)
        self.runner.tell(news if self.confirmed else news.without_cursor())

    def lose(self) -> None:
        """The connection is lost."""
        self.confirmed = False

    def deny(self) -> None:
        """The server does not allow it; it is over."""
        self.runner.stop()
        self._tools.note("denied", topic=self.topic)
        self._denied()


class WatchedTopic:
    """One topic as the server knows it: at most one request is unanswered at a time."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.subscriptions: list[Subscription] = []
        self._asking: list[Subscription] | None = None
        self._held = False

    @property
    def is_surplus(self) -> bool:
        """Would the server go on telling of it although nobody listens?"""
        return self._held and self.is_forgotten

    @property
    def is_forgotten(self) -> bool:
        """Does nobody listen, and is no answer awaited?"""
        return self._asking is None and not self.subscriptions

    def remove(self, subscription: Subscription) -> None:
        """Let one go."""
        for each in (self.subscriptions, self._asking or []):
            if subscription in each:
                each.remove(subscription)

    def ask(self) -> list[dict[str, Any]]:
        """Return what to ask the server for now; nothing while an answer is awaited."""
        unconfirmed = [each for each in self.subscriptions if not each.confirmed]
        if self._asking is not None or not unconfirmed:
            return []
        self._asking = unconfirmed
        cursors = dict.fromkeys(each.ask() for each in unconfirmed)
        return [{"topic": self._topic, **({"cursor": c} if c else {})} for c in cursors]

    def confirm(self, cursor: str | None) -> None:
        """Take the server's answer."""
        if self._asking is None:
            return
        self._held = True
        answered, self._asking = self._asking, None
        for subscription in answered:
            subscription.confirm(cursor)

    def deny(self) -> None:
        """Take the server's refusal of the request; what was opened earlier stays open."""
        refused, self._asking = self._asking or [], None
        self._end(refused)

    def revoke(self) -> None:
        """Access ended."""
        self._held = False
        self._end([each for each in self.subscriptions if each not in (self._asking or [])])

    def lose(self) -> None:
        """The connection is lost: what was asked, or held, on it is void."""
        self._asking, self._held = None, False
        for subscription in self.subscriptions:
            subscription.lose()

    def _end(self, ended: Iterable[Subscription]) -> None:
        for subscription in list(ended):
            if subscription in self.subscriptions:
                self.subscriptions.remove(subscription)
            subscription.deny()
