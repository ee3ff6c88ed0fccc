"""Observers see each message that a hub receives, before it is fanned out.

An observer sees what is opaque here, `Message.extra`, and may have topics reset in this process.
One that is registered sees the messages of every hub: `invalidation` registers one, which notices
messages of a process that runs other code. A hub may be given others that are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


class Observers:
    """The observers of one hub: those that are registered, and its own."""

    def __init__(self, own: Sequence[Observer] = ()) -> None:
        self._own = tuple(own)

    def topics(self) -> frozenset[Topic]:
        """Return the topics that some observer wants."""
        return frozenset(topic for observer in self for topic in observer.topics())

    def observe(self, message: Message) -> list[Message]:
        """Return what the observers have to tell because of a message."""
        return [told for observer in self for told in observer.observe(message)]

    def missed(self) -> None:
        """Let the observers know that the hub begins to hear."""
        for observer in self:
            observer.missed()

    def __iter__(self) -> Iterator[Observer]:
        """Give the registered ones first."""
        yield from _observers
        yield from self._own
