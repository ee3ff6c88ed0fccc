"""`client.js` and `subscriptions.js`: all that is watched over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.convergence.imitation.connection import Connection, Frame
from tests.convergence.imitation.news import read_news
from tests.convergence.imitation.runner import Handler
from tests.convergence.imitation.subscription import Subscription, WatchedTopic
from tests.convergence.imitation.tools import Tools

MOST_IN_A_FRAME = 200
"""Subscriptions; the browser's client counts characters."""


class Live:
    """The page's live connection. `address` says where to go, asked before each attempt."""

    def __init__(self, address: Callable[[], str], tools: Tools) -> None:
        self._tools = tools
        self._topics: dict[str, WatchedTopic] = {}
        self._refused: set[Subscription] = set()
        self._flush_scheduled = False
        self.every: list[Subscription] = []
        """All there have ever been, for the harness."""
        self.connection = Connection(address, self, tools)
        self.connection.open()

    @property
    def state(self) -> str:
        """How true the page is; `live` is what one wants."""
        if self.connection.state != "open":
            return self.connection.state
        if self._refused or any(each.runner.behind for each in self._all()):
            return "stale"
        return "live" if all(each.confirmed for each in self._all()) else "connecting"

    @property
    def idle(self) -> bool:
        """Does no handler run, and is none owed anything?"""
        return all(each.runner.idle for each in self._all())

    def subscribe(
        self, topic: str, cursor: str | None, handler: Handler, **options: Any
    ) -> Subscription:
        """Add a handler; the server is asked at the end of this turn, together with others."""

        def denied() -> None:
            self._refused.add(subscription)
            options.get("denied", lambda: None)()

        subscription = Subscription(
            topic,
            cursor,
            handler,
            self._tools,
            **{**options, "denied": denied},
            cancelled=self._remove,
        )
        self.every.append(subscription)
        self._topics.setdefault(topic, WatchedTopic(topic)).subscriptions.append(subscription)
        self._schedule()
        return subscription

    def wake(self) -> None:
        """Make sure, now, that what is shown is true."""
        self.connection.wake()
        self._hurry()

    # What the connection calls.

    def opened(self) -> None:
        """Ask for everything, and retry what failed."""
        self._flush()
        self._hurry()

    def lost(self) -> None:
        """Whatever was asked is void."""
        for watched in self._topics.values():
            watched.lose()

    def received(self, frame: Frame) -> None:
        """Take a frame. Topics that are not watched (any more) are passed over."""
        kind, topics = frame["type"], frame.get("topics")
        if kind == "changed":
            self._tell(frame["topics"])
            return
        if kind == "subscribed":
            for topic, entry in topics.items():
                if topic in self._topics:
                    self._topics[topic].confirm(entry.get("cursor"))
        elif kind in ("denied", "revoked"):
            for topic in topics:
                if topic in self._topics:
                    watched = self._topics[topic]
                    watched.deny() if kind == "denied" else watched.revoke()
        self._schedule()

    def _tell(self, topics: dict[str, Any]) -> None:
        for topic, entry in topics.items():
            news = read_news(entry)
            if news.reset is not None:
                self._tools.counts[f"reset {news.reset}"] += 1
            watched = self._topics.get(topic)
            for each in list(watched.subscriptions) if watched else []:
                each.tell(news)

    def _all(self) -> list[Subscription]:
        return [each for watched in self._topics.values() for each in watched.subscriptions]

    def _hurry(self) -> None:
        for subscription in self._all():
            subscription.runner.hurry()

    def _remove(self, subscription: Subscription) -> None:
        self._refused.discard(subscription)
        if subscription.topic in self._topics:
            self._topics[subscription.topic].remove(subscription)
        self._schedule()

    def _schedule(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Tell the server what has changed in what we want; before it is open, opened() will."""
        self._flush_scheduled = False
        if self.connection.state != "open":
            return
        surplus = [topic for topic, watched in self._topics.items() if watched.is_surplus]
        if surplus:
            self.connection.send({"type": "unsubscribe", "topics": surplus})
        for topic in [topic for topic, each in self._topics.items() if each.is_forgotten]:
            del self._topics[topic]
        requests = [each for watched in self._topics.values() for each in watched.ask()]
        for start in range(0, len(requests), MOST_IN_A_FRAME):
            frame = requests[start : start + MOST_IN_A_FRAME]
            self.connection.send({"type": "subscribe", "subscriptions": frame})
