"""The handlers of `subscribe` and `unsubscribe`; event streams subscribe by `begin()` too."""

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
from realtime.connections.subscription import Subscription
from realtime.exceptions import InvalidCursor, InvalidTopic
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.protocol import At, CloseCode, Denied, Subscribe, Subscribed, Unsubscribe, Wanted
from realtime.telemetry import counters

_RESET = sys.maxsize
"""The weight of a cursor that leads to a reset: more than any number of messages."""

MOST_CURSORS = 8
"""Cursors of one topic that are replayed at most: each costs a read of the history."""

CONFIRM_TIMEOUT = 1.0
"""Seconds for which the first `subscribed` waits for all topics of a frame. Others come later."""


@dataclass(slots=True)
class AskedFor:
    """The cursors and tickets of one topic, from all its entries in a `subscribe` frame."""

    cursors: list[str] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)


@handles(Subscribe)
async def subscribe(connection: Connection, frame: Subscribe) -> None:
    """Subscribe the client to the topics of a frame; send it the result and missed messages."""
    await begin(connection, _by_topic(frame.subscriptions), len(frame.subscriptions))


async def begin(connection: Connection, wanted: Mapping[str, AskedFor], asked: int = 0) -> None:
    """Subscribe to these topics as far as rules and tickets allow, and send the client the result.

    Topics opened by ticket are subscribed first, and their rules are asked afterwards. The other
    rules are asked together, and their topics are subscribed together. If a part of the backend is
    away, its topics are confirmed when it is back, and the others do not wait for it. `asked` is
    the number of entries in the client's frame: one topic may have several.

    The task is cancelled only when the connection ends. Topics whose rules have not answered are
    forgotten at once; granted ones end with the connection.
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
    # The Topics known here, since the client's text may be no valid topic.
    known = connection.subscriptions.cursors
    await connection.unsubscribe([topic for topic in known if topic in unwanted])


class Pending(NamedTuple):
    """A task that subscribes a topic at the hub, with the topic's subscription."""

    task: asyncio.Task[Cursor | str]
    topic: Topic
    subscription: Subscription


async def _start(connection: Connection, wanted: dict[Topic, list[str]]) -> None:
    """Subscribe at the hub, send `subscribed`, and only then release the messages.

    Granted topics are held from before the backend is asked, so that no message is lost in between.
    A client receives `subscribed` for a topic before its first `changed`.
    """
    pending = []
    for topic, cursors in wanted.items():
        subscription = connection.subscriptions.unsettled(topic)
        assert subscription is not None
        before = list(subscription.tasks)
        task = asyncio.create_task(_subscribe_from(connection, topic, cursors, before))
        connection.subscriptions.begin(topic, subscription, task)
        pending.append(Pending(task, topic, subscription))
    late = await _confirm(connection, pending, CONFIRM_TIMEOUT)
    if late:
        connection.spawn(_confirm_late(connection, late))


async def _confirm(
    connection: Connection, pending: Sequence[Pending], patience: float | None
) -> list[Pending]:
    """Send `subscribed` for the topics confirmed by now, release them, and return the others."""
    when = asyncio.ALL_COMPLETED if patience else asyncio.FIRST_COMPLETED
    tasks = [each.task for each in pending]
    done, _ = await asyncio.wait(tasks, timeout=patience, return_when=when)
    # Without those that ended meanwhile, though the backend may have confirmed them.
    found = [
        (each, each.task.result())
        for each in pending
        if each.task in done and not each.subscription.has_ended and not each.task.cancelled()
    ]
    for each, _ in found:
        connection.subscriptions.confirm(each.topic, each.subscription)
    told = {str(each.topic): At(str(at)) for each, at in found}
    if told:
        # No await since `confirm()`, and the writer sends frames before messages.
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
    """Subscribe one topic; put the messages since each cursor, or a reset, into the mailbox.

    Return the cursor for `subscribed`. It is never ahead of the messages that the client was sent:
    a client that came back with such a cursor on another connection would miss those that wait
    here.
    """
    if before:
        # Some are tasks of ended subscriptions, which must leave the hub first.
        await asyncio.wait(before)
    head = await connection.hub.subscribe(connection.mailbox, topic)
    known = connection.subscriptions.cursors
    at, most = known.get(topic) or head, 0
    for text in cursors:
        # One at a time: a client with many topics uses one of the threads in which backends may
        # block, and leaves the others to other clients.
        async with connection.subscriptions.turn():
            missed = await _missed(connection, topic, text, head)
        for message in missed:
            connection.mailbox.put(message)
        # Of several cursors keep the oldest: the one with the most messages to send again.
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
    """Group the entries by topic; the keys are Topics where the client's text is one.

    More than MOST_CURSORS cursors of one topic are replaced by NOWHERE, which leads to a reset:
    some of so many are too old anyway. Of so many tickets the last ones count.
    """
    found: dict[str, AskedFor] = {}
    for wanted in subscriptions:
        asked = found.get(wanted.topic)
        if asked is None:
            asked = found[_as_topic(wanted.topic)] = AskedFor()
        if wanted.cursor is not None and wanted.cursor not in asked.cursors:
            asked.cursors.append(wanted.cursor)
        if len(asked.cursors) > MOST_CURSORS:
            asked.cursors[:] = [str(NOWHERE)]
        if wanted.ticket is not None:
            asked.tickets = [*asked.tickets[1 - MOST_CURSORS :], wanted.ticket]
    return found


def _as_topic(text: str) -> str:
    """Validate a topic once for all that follows; a text that is no topic is denied later."""
    try:
        return Topic(text)
    except InvalidTopic:
        return text
