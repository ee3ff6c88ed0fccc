"""`subscriptions.js`: all that is watched over one connection, and the frames that speak of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.convergence.imitation.answers import Answers
from tests.convergence.imitation.frames import in_frames
from tests.convergence.imitation.gate import Gate
from tests.convergence.imitation.news import read_news
from tests.convergence.imitation.runner import Handler
from tests.convergence.imitation.subscription import Options, Subscription
from tests.convergence.imitation.tools import Tools
from tests.convergence.imitation.watched_topic import WatchedTopic

Frame = dict[str, Any]


class Line(Protocol):
    """The part of a connection that is used here; `Wire` in JavaScript."""

    state: str

    def send(self, frame: Frame) -> None: ...
    def reopen(self) -> None: ...


class Subscriptions:
    """Every subscription; `changed` is told when `confirmed` or `behind` may have changed."""

    def __init__(self, line: Callable[[], Line], tools: Tools, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.refused: set[Subscription] = set()
        """Those that the server refused and that nobody has cancelled."""
        self._line = line
        self._tools = tools
        self._answers = Answers(tools, lambda: line().reopen())
        self._together = Gate(tools)
        self._topics: dict[str, WatchedTopic] = {}
        self._flush_scheduled = False

    @property
    def confirmed(self) -> bool:
        """Has the server confirmed every subscription on this connection?"""
        return all(each.permit.confirmed for each in self.all())

    @property
    def lagging(self) -> bool:
        """Has some handler failed, and not caught up yet? `behind` is that, or one is refused."""
        return any(each.runner.behind for each in self.all())

    def all(self) -> list[Subscription]:
        """Return those that are watched."""
        return [each for watched in self._topics.values() for each in watched.subscriptions]

    def subscribe(self, topic: str, options: Options, handler: Handler) -> Subscription:
        """Add a handler; the server is asked at the end of this turn, together with others."""
        gate = self._together if options.together else Gate(self._tools)
        subscription = Subscription(
            topic, options, handler, tools=self._tools, gate=gate, owner=self
        )
        self._add(subscription)
        return subscription

    def opened(self) -> None:
        """Ask for everything, and retry what failed."""
        self._flush()
        for subscription in self.all():
            subscription.runner.retry()

    def lost(self) -> None:
        """Note that whatever was asked is void."""
        self._answers.clear()
        for watched in self._topics.values():
            watched.lose()
        self.changed()

    def hurry(self) -> None:
        """Let nothing wait any longer."""
        for subscription in self.all():
            subscription.runner.hurry()

    def renew_tickets(self, tickets: Mapping[str, str | None]) -> None:
        """Use these tickets from now on, and repeat requests that were denied with others."""
        for subscription in [*self.all(), *self.refused]:
            fresh = tickets.get(subscription.topic)
            if fresh and subscription.renew(fresh):
                self.refused.discard(subscription)
                self._add(subscription)

    def received(self, frame: Frame) -> None:
        """Take a frame. Topics that are not watched (any more) are passed over."""
        topics = frame.get("topics")
        match frame["type"]:
            case "changed":
                self._tell(frame["topics"])
                return
            case "subscribed":
                for topic, entry in frame["topics"].items():
                    self._answers.came(topic)
                    if topic in self._topics:
                        self._topics[topic].confirm(entry.get("cursor"))
            case "denied":
                for topic, reason in frame["topics"].items():
                    self._answers.came(topic)
                    if topic in self._topics:
                        self._topics[topic].deny(reason)
            case "revoked":
                for topic in topics or ():
                    if topic in self._topics:
                        self._topics[topic].revoke()
        # An answer may let out a request that waited for it.
        self.wants()

    # What a subscription calls.

    def wants(self) -> None:
        """Tell the server, at the end of this turn, what has changed in what we want."""
        self.changed()
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._tools.soon(self._flush)

    def cancelled(self, subscription: Subscription) -> None:
        """Let one go."""
        self.refused.discard(subscription)
        if subscription.topic in self._topics:
            self._topics[subscription.topic].remove(subscription)
        self.wants()

    def denied(self, subscription: Subscription) -> None:
        """Remember one that is not told."""
        self.refused.add(subscription)
        self.changed()

    def _add(self, subscription: Subscription) -> None:
        watched = self._topics.setdefault(subscription.topic, WatchedTopic(subscription.topic))
        watched.subscriptions.append(subscription)
        self.wants()

    def _tell(self, topics: Mapping[str, Any]) -> None:
        for topic, entry in topics.items():
            news = read_news(entry)
            if news.reset is not None:
                self._tools.counts[f"reset {news.reset}"] += 1
            watched = self._topics.get(topic)
            for each in list(watched.subscriptions) if watched else []:
                each.tell(news)

    def _flush(self) -> None:
        self._flush_scheduled = False
        line = self._line()
        if line.state != "open":
            return
        surplus = [topic for topic, watched in self._topics.items() if watched.is_surplus]
        for topics in in_frames(surplus):
            line.send({"type": "unsubscribe", "topics": topics})
        for topic in [topic for topic, each in self._topics.items() if each.is_forgotten]:
            del self._topics[topic]
        # Those of one topic stay in one frame, for they get one answer.
        requests = [asked for watched in self._topics.values() if (asked := watched.ask())]
        for frame in in_frames(requests):
            wanted = [each for asked in frame for each in asked]
            line.send({"type": "subscribe", "subscriptions": wanted})
        self._answers.expect(each["topic"] for asked in requests for each in asked)
