"""What is watched in this process, and how much is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

import msgspec

from realtime.messages.topics import RESERVED
from realtime.ops.process import process_name
from realtime.server import Server

MOST = 1_000
"""Rows of one answer: it goes over the backend, as messages do."""


class WatchedTopic(msgspec.Struct, frozen=True):
    """A topic, by how many it is watched, and its messages within the last minute, roughly."""

    topic: str
    subscribers: int
    a_minute: float


class WatchedTopics(msgspec.Struct, frozen=True):
    """The topics of a process with the most subscribers; `total` is how many there are."""

    process: str
    total: int
    topics: list[WatchedTopic]


def topics_here(server: Server, limit: int = 100) -> WatchedTopics:
    """Return what is watched in this process. How processes speak to each other is left out."""
    hub = server.hub
    own = f"{RESERVED}:"
    watched = [each for each in hub.audiences() if not each[0].startswith(own)]
    largest = nlargest(min(limit, MOST), watched, key=lambda each: each[1])
    rows = [
        WatchedTopic(str(topic), subscribers, round(hub.messages_a_minute(topic), 1))
        for topic, subscribers in largest
    ]
    return WatchedTopics(process_name(), len(watched), rows)


def together(answers: Iterable[WatchedTopics]) -> list[WatchedTopic]:
    """Return the topics of all processes: subscribers are added, messages are the same in each."""
    found: dict[str, WatchedTopic] = {}
    for each in (topic for answer in answers for topic in answer.topics):
        known = found.get(each.topic)
        found[each.topic] = (
            each
            if known is None
            else WatchedTopic(
                each.topic,
                known.subscribers + each.subscribers,
                max(known.a_minute, each.a_minute),
            )
        )
    return sorted(found.values(), key=lambda each: (-each.subscribers, -each.a_minute, each.topic))
