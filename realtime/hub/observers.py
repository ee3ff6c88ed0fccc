"""Observers: they see every message that a hub receives, before it is fanned out.

An observer sees `Message.extra`, which is opaque here, and may reset topics in this process.
Packages register observers in `AppConfig.ready()`: each sees the messages of every hub, and may
detect messages of a process with other code, for example. A hub may be given others of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from realtime.messages.message import Message
from realtime.messages.topics import Topic


class Observer(Protocol):
    """Observes the messages of some topics; it belongs to the event loop of its hub."""

    def topics(self) -> Iterable[Topic]:
        """Return the topics that the hub must watch for it, with or without subscribers."""

    def observe(self, message: Message) -> Iterable[Message]:
        """Return further messages to deliver in this process."""

    def missed(self) -> None:
        """Take note that a hub has connected, or reconnected: messages may have been missed."""


_observers: list[Observer] = []


def register(observer: Observer) -> None:
    """Let an observer see messages, from the next connection to the backend on."""
    if observer not in _observers:
        _observers.append(observer)


class Observers:
    """The observers of one hub: those that are registered, and its own."""

    def __init__(self, own: Sequence[Observer] = ()) -> None:
        self._own = tuple(own)

    def topics(self) -> frozenset[Topic]:
        """Return the topics of all observers."""
        return frozenset(topic for observer in self for topic in observer.topics())

    def observe(self, message: Message) -> list[Message]:
        """Return the messages that the observers add to a message."""
        return [added for observer in self for added in observer.observe(message)]

    def missed(self) -> None:
        """Tell the observers that the hub has connected, or reconnected."""
        for observer in self:
            observer.missed()

    def __iter__(self) -> Iterator[Observer]:
        """Yield the registered observers first."""
        yield from _observers
        yield from self._own
