"""`watched_topic.js`: one topic as the server knows it, whoever listens to it here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.convergence.imitation.subscription import Subscription

REVOKED = "revoked"


class WatchedTopic:
    """A single subscription on the wire; at most one request is unanswered at a time."""

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
        wanting = [each for each in self.subscriptions if not each.permit.confirmed]
        if self._asking is not None or not wanting:
            return []
        self._asking = wanting
        requests = []
        for subscription in wanting:
            asked = subscription.ask()
            request = {"topic": self._topic}
            request |= {"cursor": asked.cursor} if asked.cursor else {}
            request |= {"ticket": asked.ticket} if asked.ticket else {}
            if request not in requests:
                requests.append(request)
        return requests

    def confirm(self, cursor: str | None) -> None:
        """Take the server's answer."""
        if self._asking is None:
            return
        self._held = True
        answered, self._asking = self._asking, None
        for subscription in answered:
            subscription.confirm(cursor)

    def deny(self, reason: str) -> None:
        """Take the server's refusal of the request; what was opened earlier stays open."""
        refused, self._asking = self._asking or [], None
        for each in list(refused):
            if not each.permit.deny():
                self._end([each], reason)

    def revoke(self) -> None:
        """Take the end of access; a request on its way gets an answer of its own."""
        self._held = False
        asking = self._asking or []
        self._end([each for each in self.subscriptions if each not in asking], REVOKED)

    def lose(self) -> None:
        """Take the loss of the connection: what was asked, or held, on it is void."""
        self._asking, self._held = None, False
        for subscription in self.subscriptions:
            subscription.permit.lose()

    def _end(self, ended: Iterable[Subscription], reason: str) -> None:
        for subscription in list(ended):
            if subscription in self.subscriptions:
                self.subscriptions.remove(subscription)
                subscription.deny(reason)
