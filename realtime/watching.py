"""What a page shows: the topics that its view watched, and the position before it read."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import HttpRequest

from realtime.backends import get_pubsub
from realtime.cursors import Cursor
from realtime.exceptions import InvalidTopic
from realtime.topics import Topic

_ATTRIBUTE = "_realtime_watched"


@dataclass(slots=True)
class Watched:
    """The topics of one response. All share the position of the first: an older one is safe."""

    cursor: Cursor
    topics: dict[Topic, None] = field(default_factory=dict)


def position() -> Cursor:
    """Return a cursor for "now", good for any topic. Take it first, then read."""
    return get_pubsub().position()


async def aposition() -> Cursor:
    """Return a cursor for "now", good for any topic, from async code."""
    return await get_pubsub().aposition()


def watch(request: HttpRequest, family: str, *parts: object) -> Topic:
    """Note that this response shows the topic `family:parts`, for `{% live_head %}` to tell.

    Call it before reading the data: it takes the position first, so that whatever commits between
    reading and subscribing is noticed. Raise InvalidTopic for a bare family. Return the topic.
    """
    topic = _topic(family, *parts)
    found = watched(request) or _begin(request, position())
    found.topics[topic] = None
    return topic


async def awatch(request: HttpRequest, family: str, *parts: object) -> Topic:
    """Note that this response shows a topic, from an async view. See `watch()`."""
    topic = _topic(family, *parts)
    found = watched(request) or _begin(request, await aposition())
    found.topics[topic] = None
    return topic


def watched(request: HttpRequest) -> Watched | None:
    """Return what was watched for this request so far."""
    found: Watched | None = getattr(request, _ATTRIBUTE, None)
    return found


def _topic(family: str, *parts: object) -> Topic:
    topic = Topic.of(family, *parts)
    if topic.is_family:
        raise InvalidTopic(
            f"expected parts of a key behind the family, as in"
            f" watch(request, {family!r}, pk), got none"
        )
    return topic


def _begin(request: HttpRequest, cursor: Cursor) -> Watched:
    found = Watched(cursor)
    setattr(request, _ATTRIBUTE, found)
    return found
