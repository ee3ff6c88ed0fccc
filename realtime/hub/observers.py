"""Observers: they see every message in each process that serves, before it is fanned out.

An observer sees what is opaque here, `Message.extra`, and may have topics reset in this process.
Packages register theirs in `AppConfig.ready()`: one that notices messages of a process that runs
other code, for example.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from realtime.messages.message import Message
from realtime.messages.topics import Topic


class Observer(Protocol):
    """Looks at the messages of some topics; it belongs to the event loop of its hub."""

    def topics(self) -> Iterable[Topic]:
        """Return the topics to be watched for it, whoever else wants them."""

    def observe(self, message: Message) -> Iterable[Message]:
        """Return what else to tell those who are connected here."""

    def missed(self) -> None:
        """Take note that a hub begins to hear, at first or anew: it may have missed something."""


_observers: list[Observer] = []


def register(observer: Observer) -> None:
    """Let an observer see the messages from the next connection to the backend on."""
    if observer not in _observers:
        _observers.append(observer)


def observed_topics() -> frozenset[Topic]:
    """Return the topics that some observer wants."""
    return frozenset(topic for observer in _observers for topic in observer.topics())


def observe(message: Message) -> list[Message]:
    """Return what the observers have to tell because of a message."""
    return [told for observer in _observers for told in observer.observe(message)]


def missed() -> None:
    """Let the observers know that a hub begins to hear."""
    for observer in _observers:
        observer.missed()
