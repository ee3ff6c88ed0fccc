"""How many messages a minute each topic has, as far as two numbers a topic can say."""

from __future__ import annotations

from time import monotonic

from realtime.messages.topics import Topic

MINUTE = 60.0


class Rates:
    """Counts in two buckets of a minute: the one that runs, and the one before it.

    What is asked for is the last minute, so the older bucket counts by the part of it that still
    lies within. Of topics of which nothing came for two minutes nothing is kept. Owner: a hub.
    """

    def __init__(self) -> None:
        self._now: dict[Topic, int] = {}
        self._before: dict[Topic, int] = {}
        self._began = monotonic()

    def turn(self) -> None:
        """Go on to the bucket of this minute; before something is counted."""
        passed = monotonic() - self._began
        if passed >= MINUTE:
            self._before = self._now if passed < 2 * MINUTE else {}
            self._now = {}
            self._began += passed - passed % MINUTE

    def count(self, topic: Topic) -> None:
        """Count a message."""
        self._now[topic] = self._now.get(topic, 0) + 1

    def forget(self, topic: Topic) -> None:
        """Keep nothing of a topic that nobody watches any longer."""
        self._now.pop(topic, None)
        self._before.pop(topic, None)

    def of(self, topic: Topic) -> float:
        """Return how many messages it had within the last minute, roughly."""
        self.turn()
        still = 1 - (monotonic() - self._began) / MINUTE
        return self._now.get(topic, 0) + self._before.get(topic, 0) * max(still, 0.0)
