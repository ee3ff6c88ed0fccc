"""Telling what the backend said to those who are connected here."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.backends import Upstream
from realtime.hub.observers import Observers
from realtime.hub.subscribers import Subscribers
from realtime.messages.merge import merge_all
from realtime.messages.message import Message, checked
from realtime.messages.topics import Topic
from realtime.rates import Rates
from realtime.telemetry import counters, note_fan_out


class FanOut:
    """From messages to mailboxes. No method awaits, so none is ever seen half done."""

    def __init__(self, subscribers: Subscribers, observers: Observers) -> None:
        self._subscribers = subscribers
        self._observers = observers
        self.rates = Rates()

    def received(self, upstream: Upstream, messages: Sequence[Message]) -> None:
        """Tell of what arrived together, each topic's messages merged: once, not in each sink."""
        counters.received += len(messages)
        self.rates.turn()
        by_topic: dict[Topic, list[Message]] = {}
        for message in messages:
            for told in self._observers.observe(message):
                self.tell(upstream, told)
            by_topic.setdefault(message.topic, []).append(message)
        for waiting in by_topic.values():
            self.tell(upstream, merge_all(waiting))

    def tell(self, upstream: Upstream, message: Message) -> None:
        """Tell everybody whom one message concerns."""
        width = 0
        for topic in self._subscribers.reached_by(message.topic):
            self.rates.count(topic)
            width += self._deliver(upstream, topic, message)
        counters.fan_outs += width > 0
        counters.delivered += width
        note_fan_out(message.topic, width)

    def refresh(self, upstream: Upstream) -> None:
        """Let everybody know how far they have been told."""
        head = upstream.head()
        for topic in self._subscribers.topics():
            if upstream.narrow(head, topic) is not None:
                self._deliver(upstream, topic, Message(topic, cursor=head))

    def _deliver(self, upstream: Upstream, topic: Topic, message: Message) -> int:
        """Tell those who watch exactly this topic; return how many they are."""
        told = as_told(upstream, topic, message)
        sinks = self._subscribers.of(topic)
        for sink in sinks:
            sink.put(told)
        return len(sinks)


def as_told(upstream: Upstream, topic: Topic, message: Message) -> Message:
    """Return a message as the subscribers of a topic are told it. What is opaque ends here."""
    cursor = message.cursor and upstream.narrow(message.cursor, topic)
    if message.topic == topic and message.cursor is cursor and message.extra is None:
        return message
    return checked(topic, message.changes, message.reset, cursor)
