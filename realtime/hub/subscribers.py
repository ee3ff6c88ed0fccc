"""The hub's map from topics to mailboxes, and from families to topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Protocol

from realtime.messages.message import Message
from realtime.messages.topics import Topic


class Sink(Protocol):
    """A mailbox, or an object that takes messages like one."""

    def put(self, message: Message) -> None:
        """Take a message, without waiting."""

    def discard(self, topic: Topic) -> None:
        """Drop the waiting messages of a topic that is watched no longer."""


class Subscribers:
    """A map from topics to mailboxes.

    No method awaits, so no other task sees a half-done change.
    """

    def __init__(self) -> None:
        self._mailboxes: defaultdict[Topic, set[Sink]] = defaultdict(set)
        self._families: defaultdict[Topic, set[Topic]] = defaultdict(set)

    def add(self, topic: Topic, mailbox: Sink) -> None:
        """Add `mailbox` to the subscribers of `topic`."""
        self._mailboxes[topic].add(mailbox)
        self._families[topic.family].add(topic)

    def remove(self, topic: Topic, mailbox: Sink) -> bool:
        """Remove `mailbox` from `topic`; return True if it was the topic's last subscriber."""
        mailboxes = self._mailboxes.get(topic)
        if mailboxes is None:
            return False
        mailboxes.discard(mailbox)
        if mailboxes:
            return False
        del self._mailboxes[topic]
        self._families[topic.family].discard(topic)
        if not self._families[topic.family]:
            del self._families[topic.family]
        return True

    def unwanted(self, topic: Topic) -> list[Topic]:
        """Return those of `topic` and its family that have no subscriber."""
        unwanted = [] if topic in self._mailboxes else [topic]
        return unwanted if topic.family in self._families else [*unwanted, topic.family]

    def of(self, topic: Topic) -> Collection[Sink]:
        """Return the mailboxes that are subscribed to exactly `topic`."""
        return tuple(self._mailboxes.get(topic, ()))

    def topics(self) -> Collection[Topic]:
        """Return the topics that have subscribers."""
        return tuple(self._mailboxes)

    def audiences(self) -> list[tuple[Topic, int]]:
        """Return each topic with its number of subscribers; safe in any thread."""
        return [(topic, len(sinks)) for topic, sinks in list(self._mailboxes.items())]

    def wanted(self) -> Collection[Topic]:
        """Return the topics to watch upstream: those with subscribers, and their families."""
        return (*self._mailboxes, *self._families)

    def reached_by(self, topic: Topic) -> Iterable[Topic]:
        """Return the subscribed topics that a message to `topic` concerns."""
        if topic.is_family:
            return tuple(self._families.get(topic, ()))
        return (topic,) if topic in self._mailboxes else ()
