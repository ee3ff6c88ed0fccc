"""The algebra of messages: any number of messages about one topic merge into one.

As far as rows and resets go, merging is associative, commutative and idempotent. So a queue can be
bounded, and delivery can be at least once. A row with two different verbs was updated; a reset
absorbs all rows. The merged cursor is the later argument's: merge in the order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence

from realtime.messages.message import Changes, Message, Reset, Verb, checked


def merge(earlier: Message, later: Message) -> Message:
    """Merge two messages about one topic."""
    return merge_all((earlier, later))


def merge_all(messages: Sequence[Message]) -> Message:
    """Merge one or more messages about one topic; the same result as merging one by one."""
    if len(messages) == 1:
        return messages[0]
    last = messages[-1]
    cursors = [message.cursor for message in messages if message.cursor is not None]
    cursor = cursors[-1] if cursors else None
    reasons = [message.reset for message in messages if message.reset is not None]
    if reasons:
        return checked(last.topic, {}, min(reasons), cursor)
    merged: dict[str, dict[str, Verb]] = {}
    for message in messages:
        _merge_into(merged, message.changes)
    return checked(last.topic, merged, cursor=cursor)


def _merge_into(merged: dict[str, dict[str, Verb]], changes: Changes) -> None:
    for label, rows in changes.items():
        into = merged.setdefault(label, {})
        for pk, verb in rows.items():
            into[pk] = merge_verbs(into.get(pk, verb), verb)


def merge_verbs(one: Verb, other: Verb) -> Verb:
    """Return the merged verb of one row: two different verbs amount to an update."""
    return one if one == other else "updated"


def bound(message: Message, most: int) -> Message:
    """Turn a message that names more than `most` rows into a reset, if it is none yet."""
    if message.changes and size(message) > most:
        return checked(message.topic, {}, message.reset or Reset.OVERFLOW, message.cursor)
    return message


def size(message: Message) -> int:
    """Return the number of rows that a message names."""
    return sum(map(len, message.changes.values()))
