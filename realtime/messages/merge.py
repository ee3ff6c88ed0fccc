"""The algebra of messages: any number of them about one topic can be told as one.

Merging is associative, commutative and idempotent as far as rows and resets go, which is what
lets a queue be bounded and delivery be at least once. A row with two different verbs was updated;
a reset absorbs all rows. The cursor is the later argument's: merge in the order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence

from realtime.messages.message import Changes, Message, Reset, Verb, checked


def merge(earlier: Message, later: Message) -> Message:
    """Tell two messages about one topic as one."""
    return merge_all((earlier, later))


def merge_all(messages: Sequence[Message]) -> Message:
    """Tell messages about one topic, at least one of them, as one: as if merged one by one."""
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
    """Two different verbs for one row amount to an update."""
    return one if one == other else "updated"


def bound(message: Message, most: int) -> Message:
    """Turn a message that names more than `most` rows into a reset, if it is none yet."""
    if message.changes and size(message) > most:
        return checked(message.topic, {}, message.reset or Reset.OVERFLOW, message.cursor)
    return message


def size(message: Message) -> int:
    """Return how many rows a message names."""
    return sum(map(len, message.changes.values()))
