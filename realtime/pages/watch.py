"""Record the topics that a response shows, and the position before its view read them."""

from __future__ import annotations

from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest

from realtime.backends import PubSub, get_pubsub
from realtime.exceptions import InvalidTopic
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic
from realtime.pages.replicas import read_fresh

_ATTRIBUTE = "_realtime_watched"


@dataclass(slots=True)
class Watched:
    """The topics of one response, with the position taken for the first: an older one is safe."""

    cursor: Cursor
    topics: dict[Topic, None] = field(default_factory=dict)


def position() -> Cursor:
    """Return a cursor for "now", valid for any topic. Take it first, then read.

    In a transaction whose snapshot may be older than the position, return NOWHERE: a client that
    subscribes with it is reset. With replicas, later reads must come from the primary: see
    `realtime.pages.replicas.FreshReads`.
    """
    read_fresh()
    pubsub = get_pubsub()
    return NOWHERE if _reads_the_past(pubsub) else pubsub.position()


async def aposition() -> Cursor:
    """Return a cursor for "now", valid for any topic, in async code. See `position()`."""
    # Set it in this context: a change in the thread's copy may be lost.
    read_fresh()
    pubsub = get_pubsub()
    if await sync_to_async(_reads_the_past)(pubsub):
        return NOWHERE
    return await pubsub.aposition()


def watch(request: HttpRequest, family: str, *parts: object) -> Topic:
    """Record that this response shows the topic `family:parts`, for `{% live_head %}`.

    Call it before reading the data: it takes the position first, so that the client receives all
    changes committed after the read. Raise InvalidTopic for a bare family. Return the topic.
    """
    topic = _topic(family, *parts)
    found = watched(request) or _begin(request, position())
    found.topics[topic] = None
    return topic


async def awatch(request: HttpRequest, family: str, *parts: object) -> Topic:
    """Record that this response shows a topic, in an async view. See `watch()`."""
    topic = _topic(family, *parts)
    found = watched(request) or _begin(request, await aposition())
    if hasattr(request, "auser"):
        # For the ticket: the template that prints it cannot await the user.
        await request.auser()
    found.topics[topic] = None
    return topic


def watched(request: HttpRequest) -> Watched | None:
    """Return the topics watched for this request so far; None if there are none."""
    found: Watched | None = getattr(request, _ATTRIBUTE, None)
    return found


def _reads_the_past(pubsub: PubSub) -> bool:
    """Return whether this thread may read a snapshot older than a position taken now."""
    return any(_may_read_the_past(each, pubsub) for each in connections.all(initialized_only=True))


def _may_read_the_past(connection: BaseDatabaseWrapper, pubsub: PubSub) -> bool:
    """Return whether it may on this database connection."""
    # A connection that is not open has no snapshot, though its `autocommit` is False.
    is_by_hand = connection.connection is not None and not connection.autocommit
    return (connection.in_atomic_block or is_by_hand) and not pubsub.reads_on(connection.alias)


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
