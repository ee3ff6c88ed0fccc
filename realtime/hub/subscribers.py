"""Who watches what: the hub's map from topics to mailboxes, and from families to topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Protocol

from realtime.messages.message import Message
from realtime.messages.topics import Topic


class Sink(Protocol):
    """What messages are put into: a mailbox, or what behaves like one."""

    def put(self, message: Message) -> None:
        """Take a message; without waiting for anything."""

    def discard(self, topic: Topic) -> None:
        """Forget what waits of a topic that is watched no more."""


class Subscribers:
    """A map from topics to mailboxes. No method awaits, so none is ever seen half done."""

    def __init__(self) -> None:
        self._mailboxes: defaultdict[Topic, set[Sink]] = defaultdict(set)
        self._families: defaultdict[Topic, set[Topic]] = defaultdict(set)

    def add(self, topic: Topic, mailbox: Sink) -> None:
        """Note that `mailbox` wants `topic`."""
        self._mailboxes[topic].add(mailbox)
        self._families[topic.family].add(topic)

    def remove(self, topic: Topic, mailbox: Sink) -> bool:
        """Note that it does not; return whether that was the topic's last."""
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
        """Return which of `topic` and its family nobody wants."""
        nobody = [] if topic in self._mailboxes else [topic]
        return nobody if topic.family in self._families else [*nobody, topic.family]

    def of(self, topic: Topic) -> Collection[Sink]:
        """Return the mailboxes that want exactly `topic`."""
        return tuple(self._mailboxes.get(topic, ()))

    def topics(self) -> Collection[Topic]:
        """Return the topics that anybody wants."""
        return tuple(self._mailboxes)

    def audiences(self) -> list[tuple[Topic, int]]:
        """Return every topic that anybody wants, and how many do; in any thread."""
        return [(topic, len(sinks)) for topic, sinks in list(self._mailboxes.items())]

    def wanted(self) -> Collection[Topic]:
        """Return what must be watched upstream: those topics and their families."""
        return (*self._mailboxes, *self._families)

    def reached_by(self, topic: Topic) -> Iterable[Topic]:
        """Return the subscribed topics that a message to `topic` concerns."""
        if topic.is_family:
            return tuple(self._families.get(topic, ()))
        return (topic,) if topic in self._mailboxes else ()
