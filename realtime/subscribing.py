"""Handlers of `subscribe` and `unsubscribe`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from realtime.access import may_watch
from realtime.conf import conf
from realtime.connection import Connection
from realtime.cursors import NOWHERE, Cursor
from realtime.exceptions import InvalidCursor
from realtime.frames import handles
from realtime.messages import Message, Reset
from realtime.protocol import At, CloseCode, Denied, Subscribe, Subscribed, Unsubscribe, Wanted
from realtime.topics import Topic

NOT_ALLOWED = "not allowed"
"""The one reason for every refusal: a topic that does not exist looks like one that is secret."""

_RESET = sys.maxsize
"""It says more than any number of messages."""

MOST_CURSORS = 8
"""Cursors of one topic that are looked into: each costs a look into the history."""


@handles(Subscribe)
async def subscribe(connection: Connection, frame: Subscribe) -> None:
    """Watch what the client may watch, and tell it what it must reload.

    Topics are gone through one by one, so that a client that asks for many occupies one of the
    threads in which rules and backends may block, and leaves the others to its neighbours.
    """
    cursors = _cursors_by_topic(frame.subscriptions)
    asked = max(len(connection.topics.keys() | cursors.keys()), len(frame.subscriptions))
    if asked > conf.MAX_SUBSCRIPTIONS:
        await connection.close(CloseCode.TOO_MANY)
        return
    answers = [await may_watch(connection.user, text) for text in cursors]
    granted = [Topic(text) for text, yes in zip(cursors, answers, strict=True) if yes]
    if granted:
        await _start(connection, {topic: cursors[topic] for topic in granted})
    denied = {text: NOT_ALLOWED for text, yes in zip(cursors, answers, strict=True) if not yes}
    if denied:
        await connection.send(Denied(denied))


@handles(Unsubscribe)
async def unsubscribe(connection: Connection, frame: Unsubscribe) -> None:
    """Watch these topics no more."""
    unwanted = frozenset(frame.topics)
    # Not the client's text, but our Topics.
    topics = [topic for topic in connection.topics if topic in unwanted]
    for topic in topics:
        del connection.topics[topic]
    await connection.hub.unsubscribe(connection.mailbox, *topics)


async def _start(connection: Connection, wanted: dict[Topic, list[str]]) -> None:
    """Subscribe at the hub, say so, and only then let messages through.

    Held topics gather from before the backend is asked, so nothing falls between; a client is
    never told of a change to a topic before it was told that it is subscribed.
    """
    for topic in wanted:
        connection.mailbox.hold(topic)
        connection.topics.setdefault(topic, None)
    stands = {topic: await _subscribe_from(connection, topic, wanted[topic]) for topic in wanted}
    connection.topics.update(stands)
    await connection.send(Subscribed({str(topic): At(at) for topic, at in stands.items()}))
    for topic in wanted:
        connection.mailbox.release(topic)


async def _subscribe_from(connection: Connection, topic: Topic, cursors: Sequence[str]) -> str:
    """Subscribe one topic and return where; what followed each cursor, or a reset, follows.

    The cursor never runs ahead of what the client was sent: one who believed it, and came back
    with it on another connection, would miss what still waits here.
    """
    told = connection.topics[topic]
    head = await connection.hub.subscribe(connection.mailbox, topic)
    at, most = told or str(head), 0
    for text in cursors:
        missed = await _missed(connection, topic, text, head)
        for message in missed:
            connection.mailbox.put(message)
        # Of two cursors the older: from where more is told again.
        weight = _RESET if any(message.reset for message in missed) else len(missed)
        if weight > most:
            at, most = text, weight
    return at


async def _missed(
    connection: Connection, topic: Topic, text: str, head: Cursor
) -> Sequence[Message]:
    try:
        cursor = Cursor.parse(text)
    except InvalidCursor:
        return [Message(topic, reset=Reset.UNKNOWN_CURSOR, cursor=head)]
    return await connection.hub.replay(topic, cursor)


def _cursors_by_topic(subscriptions: Sequence[Wanted]) -> dict[str, list[str]]:
    """Group by topic: a topic twice is one subscription, and each cursor given counts.

    Of very many cursors for one topic some are surely old: one that is nobody's stands for them.
    """
    cursors: dict[str, list[str]] = {}
    for wanted in subscriptions:
        given = cursors.setdefault(wanted.topic, [])
        if wanted.cursor is not None and wanted.cursor not in given:
            given.append(wanted.cursor)
        if len(given) > MOST_CURSORS:
            given[:] = [str(NOWHERE)]
    return cursors
