"""The topics that clients of this process watch, as shown to operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import nlargest

import msgspec

from realtime.messages.topics import RESERVED
from realtime.ops.process import process_name
from realtime.server import Server

MOST_LISTED = 1_000
"""Rows of one answer at most, since it is sent as a message of the backend."""


class WatchedTopic(msgspec.Struct, frozen=True):
    """A topic and its number of subscribers."""

    topic: str
    subscribers: int


class WatchedTopics(msgspec.Struct, frozen=True):
    """The topics of a process with the most subscribers; `total` counts all topics."""

    process: str
    total: int
    topics: list[WatchedTopic]


def topics_here(server: Server, limit: int = 100) -> WatchedTopics:
    """Return the topics watched in this process, except those of the reserved family."""
    hub = server.hub
    own = f"{RESERVED}:"
    watched = [each for each in hub.audiences() if not each[0].startswith(own)]
    largest = nlargest(min(limit, MOST_LISTED), watched, key=lambda each: each[1])
    rows = [WatchedTopic(str(topic), subscribers) for topic, subscribers in largest]
    return WatchedTopics(process_name(), len(watched), rows)


def together(answers: Iterable[WatchedTopics]) -> list[WatchedTopic]:
    """Return the topics of all processes with their subscribers summed, the largest first."""
    found: Counter[str] = Counter()
    for each in (topic for answer in answers for topic in answer.topics):
        found[each.topic] += each.subscribers
    rows = [WatchedTopic(topic, subscribers) for topic, subscribers in found.items()]
    return sorted(rows, key=lambda each: (-each.subscribers, each.topic))
