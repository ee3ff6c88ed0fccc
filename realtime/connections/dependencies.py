"""The topics on which the rules' answers for one connection depend, watched at the hub."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from realtime.access.dependencies import dependencies_of
from realtime.connections.client import Client
from realtime.messages.message import Message
from realtime.messages.topics import Topic

MOST_ROUNDS = 4
"""Calls of `depends` at most, until it names only topics that are watched already."""


class Doubts(Protocol):
    """Asks rules again: an Authorization."""

    def doubt(self, topics: Iterable[Topic], /) -> None:
        """Ask the rules of these topics again."""


class Dependencies:
    """Watches what rules name by `depends`. Owner: the event loop of a connection.

    For the hub it is a sink. A message of a dependency puts the topics that depend on it in doubt.
    """

    # See decision 13.
    __slots__ = ("_client", "_doubts", "_subscribing", "_topics")

    def __init__(self, client: Client, doubts: Doubts) -> None:
        self._client = client
        self._doubts = doubts
        self._topics: dict[Topic, set[Topic]] = {}
        """Dependency -> the topics whose rules depend on it."""
        self._subscribing: tuple[Topic, ...] = ()
        """Dependencies that tasks are subscribing now, one entry for each task."""

    async def watch(self, topics: Iterable[Topic]) -> list[Topic]:
        """Watch the dependencies of these topics; return the topics whose `depends` failed.

        Once this returns, every later change of a dependency reaches `put()`.
        """
        failed: list[Topic] = []
        unsure = list(topics)
        for _ in range(MOST_ROUNDS):
            known = await dependencies_of(self._client.user, unsure)
            failed += [topic for topic in unsure if known[topic] is None]
            # A dependency may have changed before it was watched: ask `depends` again.
            unsure = [
                topic
                for topic in unsure
                if (named := known[topic]) is not None and await self._watch(topic, named)
            ]
            if not unsure:
                break
        return failed

    def drop(self, topics: Collection[Topic], kept: Collection[Topic] = ()) -> None:
        """Remove the dependencies of these topics, except those in `kept`."""
        unwanted = []
        for dependency, concerned in list(self._topics.items()):
            if dependency not in kept:
                concerned.difference_update(topics)
                if not concerned:
                    del self._topics[dependency]
                    # The hub knows one subscription of this sink, which the other task needs.
                    if dependency not in self._subscribing:
                        unwanted.append(dependency)
        last = self._client.hub.leave(self, *unwanted)
        if last:
            self._client.spawn(self._client.hub.unwatch(last))

    def leave(self) -> list[Topic]:
        """Remove all dependencies; return the topics that the hub is to unwatch."""
        dependencies, self._topics = list(self._topics), {}
        return self._client.hub.leave(self, *dependencies)

    def put(self, message: Message) -> None:
        """Receive from the hub a message of a dependency."""
        if not message.changes and message.reset is None:
            return  # It carries a cursor and no changes.
        self._doubts.doubt(self._topics.get(message.topic, ()))

    def discard(self, topic: Topic) -> None:
        """Do nothing: no messages wait here. The hub calls it."""

    async def _watch(self, topic: Topic, dependencies: Collection[Topic]) -> bool:
        """Replace the dependencies of a topic by these; return whether any is new."""
        is_new = False
        for dependency in dependencies:
            if self._client.has_ended:
                return False
            if dependency not in self._topics:
                await self._subscribe(dependency)
            concerned = self._topics.setdefault(dependency, set())
            is_new = is_new or topic not in concerned
            concerned.add(topic)
        self.drop({topic}, kept=dependencies)
        return is_new

    async def _subscribe(self, dependency: Topic) -> None:
        self._subscribing += (dependency,)
        try:
            await self._client.hub.subscribe(self, dependency)
        finally:
            others = list(self._subscribing)
            others.remove(dependency)
            self._subscribing = tuple(others)
