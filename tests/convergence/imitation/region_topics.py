"""`region_topics.js`: the topics that one region watches, each from where its markup stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.page import Entry, Fetched
from tests.convergence.imitation.subscription import Options, Subscription
from tests.convergence.imitation.watched_topic import REVOKED

UNKNOWN = Entry()


@dataclass(frozen=True, slots=True)
class Denial:
    """How a topic was denied: its access ended, or it was given on an earlier connection."""

    is_revoked: bool
    was_confirmed: bool


Told = Callable[[str, News], Awaitable[None]]
Denied = Callable[[str, Denial], None]


class RegionTopics:
    """Subscribes, and knows what was refused until it is asked for again."""

    def __init__(self, live: Live, told: Told, denied: Denied) -> None:
        self._live = live
        self._told = told
        self._on_denied = denied
        self._subscriptions: dict[str, Subscription] = {}
        self._denied: dict[str, Subscription] = {}

    @property
    def denied(self) -> frozenset[str]:
        """The topics that the region names and is not told of."""
        return frozenset(self._denied)

    def watch(self, topics: Sequence[str], head: Fetched, jitter: float | None) -> None:
        """Watch these topics and no others; `head` came with the markup that names them."""
        for topic in [topic for topic in self._subscriptions if topic not in topics]:
            self._subscriptions.pop(topic).cancel()
        # What the page no longer names is settled; what it still names is asked for again.
        for denied in self._denied.values():
            denied.cancel()
        self._denied.clear()
        for topic in topics:
            if topic not in self._subscriptions:
                self._subscriptions[topic] = self._subscribe(topic, head, jitter)

    def _subscribe(self, topic: str, head: Fetched, jitter: float | None) -> Subscription:
        entry = head.entries.get(topic, UNKNOWN)
        options = Options(
            cursor=entry.cursor,
            ticket=entry.ticket,
            catch_up=True,
            together=True,
            jitter=jitter,
            reset_jitter=head.jitter,
            on_denied=lambda reason: self._deny(topic, subscription, reason),
            since=head.since if entry.cursor else None,
        )
        subscription = self._live.subscribe(topic, options, partial(self._told, topic))
        return subscription

    def _deny(self, topic: str, subscription: Subscription, reason: str) -> None:
        if self._subscriptions.get(topic) is subscription:
            self._denied[topic] = self._subscriptions.pop(topic)
            subscription.permit.retire()
            was_confirmed = subscription.permit.was_confirmed
            self._on_denied(topic, Denial(reason == REVOKED, was_confirmed))
