"""Delivering the backend's messages to this process's mailboxes."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.backends import Upstream
from realtime.hub.observers import Observers
from realtime.hub.subscribers import Subscribers
from realtime.messages.merge import merge_all
from realtime.messages.message import Message, checked
from realtime.messages.topics import Topic
from realtime.telemetry import counters, note_fan_out


class FanOut:
    """Puts messages into mailboxes.

    No method awaits, so no other task sees a half-done delivery.
    """

    def __init__(self, subscribers: Subscribers, observers: Observers) -> None:
        self._subscribers = subscribers
        self._observers = observers

    def received(self, upstream: Upstream, messages: Sequence[Message]) -> None:
        """Deliver messages that arrived together; merge each topic's once, not in each mailbox."""
        counters.received += len(messages)
        by_topic: dict[Topic, list[Message]] = {}
        for message in messages:
            for added in self._observers.observe(message):
                self.tell(upstream, added)
            by_topic.setdefault(message.topic, []).append(message)
        for waiting in by_topic.values():
            self.tell(upstream, merge_all(waiting))

    def tell(self, upstream: Upstream, message: Message) -> None:
        """Deliver one message to all mailboxes that it concerns."""
        width = 0
        for topic in self._subscribers.reached_by(message.topic):
            width += self._deliver(upstream, topic, message)
        counters.fan_outs += width > 0
        counters.delivered += width
        note_fan_out(message.topic, width)

    def refresh(self, upstream: Upstream) -> None:
        """Deliver the upstream's position to every mailbox."""
        head = upstream.head()
        for topic in self._subscribers.topics():
            if upstream.narrow(head, topic) is not None:
                self._deliver(upstream, topic, Message(topic, cursor=head))

    def _deliver(self, upstream: Upstream, topic: Topic, message: Message) -> int:
        """Deliver to the mailboxes of exactly this topic; return how many they are."""
        addressed = as_told(upstream, topic, message)
        sinks = self._subscribers.of(topic)
        for sink in sinks:
            sink.put(addressed)
        return len(sinks)


def as_told(upstream: Upstream, topic: Topic, message: Message) -> Message:
    """Return a message in the form for a topic's subscribers: without `extra`."""
    cursor = message.cursor and upstream.narrow(message.cursor, topic)
    if message.topic == topic and message.cursor is cursor and message.extra is None:
        return message
    return checked(topic, message.changes, message.reset, cursor)
