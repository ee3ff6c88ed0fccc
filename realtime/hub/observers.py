"""Observers: they see every message in each serving process, before it is fanned out.

An observer sees `Message.extra`, which is opaque here, and may reset topics in this process.
Packages register observers in `AppConfig.ready()`, for example one that detects messages of a
process with other code.
"""

from __future__ import annotations

from collections.abc import Iterable
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


def observed_topics() -> frozenset[Topic]:
    """Return the topics of all observers."""
    return frozenset(topic for observer in _observers for topic in observer.topics())


def observe(message: Message) -> list[Message]:
    """Return the messages that the observers add to a message."""
    return [each for observer in _observers for each in observer.observe(message)]


def missed() -> None:
    """Tell the observers that a hub has connected, or reconnected."""
    for observer in _observers:
        observer.missed()
