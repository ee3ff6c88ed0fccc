"""Handlers of `subscribe` and `unsubscribe`; the other transports begin to watch here too."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from realtime.conf import conf
from realtime.connections.authorization import NOT_ALLOWED
from realtime.connections.connection import Connection
from realtime.connections.handlers import handles
from realtime.connections.subscriptions import Subscription
from realtime.exceptions import InvalidCursor
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.protocol import At, CloseCode, Denied, Subscribe, Subscribed, Unsubscribe, Wanted
from realtime.telemetry import counters

_RESET = sys.maxsize
"""It says more than any number of messages."""

MOST_CURSORS = 8
"""Cursors of one topic that are looked into: each costs a look into the history."""

PATIENCE = 1.0
"""Seconds that one answer to all topics of a frame is waited for. Others are answered later."""


@dataclass(slots=True)
class AskedFor:
    """What came with one topic: a topic twice is one subscription, and each cursor counts."""

    cursors: list[str] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)


@handles(Subscribe)
async def subscribe(connection: Connection, frame: Subscribe) -> None:
    """Watch what the client may watch, and tell it what it must reload."""
    await begin(connection, _by_topic(frame.subscriptions), len(frame.subscriptions))


async def begin(connection: Connection, wanted: Mapping[str, AskedFor], asked: int = 0) -> None:
    """Watch these topics, as far as rules and tickets allow it, and tell the client the result.

    What tickets open is watched first, and its rules are asked behind that. The other rules are
    asked together, and their topics are watched together. What a part of the backend that is away
    holds up is confirmed when it is back, and holds up nothing else. `asked` is how many
    subscriptions the client named, if that is more than there are topics.

    A task that is cancelled in here belongs to a connection that ends. What was asked for is
    forgotten at once; what was granted ends with the connection.
    """
    asked = max(len(connection.subscriptions.cursors.keys() | wanted.keys()), asked)
    longest = max(map(len, wanted), default=0)
    if asked > conf.MAX_SUBSCRIPTIONS or longest > conf.MAX_TOPIC_LENGTH:
        await connection.close(CloseCode.TOO_MANY)
        return
    opened = connection.authorization.open({text: each.tickets for text, each in wanted.items()})
    if opened:
        await _start(connection, {topic: wanted[topic].cursors for topic in opened})
        connection.authorization.ask_behind()
    others = wanted.keys() - set(opened)
    if not others:
        return
    granted = await connection.authorization.ask(text for text in wanted if text in others)
    if granted:
        await _start(connection, {topic: wanted[topic].cursors for topic in granted})
    denied = dict.fromkeys((text for text in wanted if text in others - set(granted)), NOT_ALLOWED)
    if denied:
        counters.denied += len(denied)
        await connection.send(Denied(denied))


@handles(Unsubscribe)
async def unsubscribe(connection: Connection, frame: Unsubscribe) -> None:
    """End the subscriptions to these topics."""
    unwanted = frozenset(frame.topics)
    # Our Topics, since the client's text may be none.
    known = connection.subscriptions.cursors
    await connection.unsubscribe([topic for topic in known if topic in unwanted])


class Pending(NamedTuple):
    """A task that subscribes a topic at the hub, and what it does that for."""

    task: asyncio.Task[Cursor | str]
    topic: Topic
    subscription: Subscription


async def _start(connection: Connection, wanted: dict[Topic, list[str]]) -> None:
    """Subscribe at the hub, say so, and only then let messages through.

    Granted topics are held since before the backend is asked, so nothing falls between; a client is
    never told of a change to a topic before it was told that it is subscribed.
    """
    pending = []
    for topic, cursors in wanted.items():
        subscription = connection.subscriptions.unsettled(topic)
        assert subscription is not None
        before = list(subscription.tasks)
        task = asyncio.create_task(_subscribe_from(connection, topic, cursors, before))
        connection.subscriptions.begin(topic, subscription, task)
        pending.append(Pending(task, topic, subscription))
    late = await _confirm(connection, pending, PATIENCE)
    if late:
        connection.spawn(_confirm_late(connection, late))


async def _confirm(
    connection: Connection, pending: Sequence[Pending], patience: float | None
) -> list[Pending]:
    """Say which topics are confirmed by now, and let their messages through; return the others."""
    when = asyncio.ALL_COMPLETED if patience else asyncio.FIRST_COMPLETED
    tasks = [each.task for each in pending]
    done, _ = await asyncio.wait(tasks, timeout=patience, return_when=when)
    # A subscription that has ended is not told, though the backend may have confirmed it.
    found = [
        (each, each.task.result())
        for each in pending
        if each.task in done and not each.subscription.has_ended and not each.task.cancelled()
    ]
    for each, _ in found:
        connection.subscriptions.confirm(each.topic, each.subscription)
    told = {str(each.topic): At(str(at)) for each, at in found}
    if told:
        # Nothing was awaited since, and frames go before messages.
        await connection.send(Subscribed(told))
    return [each for each in pending if each.task not in done]


async def _confirm_late(connection: Connection, pending: list[Pending]) -> None:
    while pending:
        pending = await _confirm(connection, pending, None)


async def _subscribe_from(
    connection: Connection,
    topic: Topic,
    cursors: Sequence[str],
    before: Collection[asyncio.Future[Any]],
) -> Cursor | str:
    """Subscribe one topic and return where; what followed each cursor, or a reset, follows.

    The cursor never runs ahead of what the client was sent: one who believed it, and came back
    with it on another connection, would miss what still waits here.
    """
    if before:
        # Among them are those of subscriptions that have ended: they leave the hub first.
        await asyncio.wait(before)
    head = await connection.hub.subscribe(connection.mailbox, topic)
    known = connection.subscriptions.cursors
    at, most = known.get(topic) or head, 0
    for text in cursors:
        # One after another: a client that asks for many topics occupies one of the threads in which
        # backends may block, and leaves the others to its neighbours.
        async with connection.subscriptions.turn():
            missed = await _missed(connection, topic, text, head)
        for message in missed:
            connection.mailbox.put(message)
        # Of two cursors the older: from where more is told again.
        weight = _RESET if any(message.reset for message in missed) else len(missed)
        if weight > most:
            at, most = text, weight
    if topic in known:
        known[topic] = at
    return at


async def _missed(
    connection: Connection, topic: Topic, text: str, head: Cursor
) -> Sequence[Message]:
    try:
        cursor = Cursor.parse(text)
    except InvalidCursor:
        return [Message(topic, reset=Reset.UNKNOWN_CURSOR, cursor=head)]
    return await connection.hub.replay(topic, cursor)


def _by_topic(subscriptions: Sequence[Wanted]) -> dict[str, AskedFor]:
    """Group by topic.

    Of very many cursors for one topic some are surely old: one that is nobody's stands for them.
    Of very many tickets the last count.
    """
    found: dict[str, AskedFor] = {}
    for wanted in subscriptions:
        asked = found.setdefault(wanted.topic, AskedFor())
        if wanted.cursor is not None and wanted.cursor not in asked.cursors:
            asked.cursors.append(wanted.cursor)
        if len(asked.cursors) > MOST_CURSORS:
            asked.cursors[:] = [str(NOWHERE)]
        if wanted.ticket is not None:
            asked.tickets = [*asked.tickets[1 - MOST_CURSORS :], wanted.ticket]
    return found
