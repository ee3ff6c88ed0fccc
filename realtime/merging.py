"""The algebra of messages: any number of them about one topic can be told as one.

Merging is associative, commutative and idempotent as far as rows and resets go, which is what
lets a queue be bounded and delivery be at least once. A row with two different verbs was updated;
a reset absorbs all rows. The cursor is the later argument's: merge in the order of arrival.
"""

from __future__ import annotations

from dataclasses import replace

from realtime.messages import Changes, Message, Reset, Verb


def merge(earlier: Message, later: Message) -> Message:
    """Tell two messages about one topic as one."""
    cursor = later.cursor or earlier.cursor
    reasons = [reason for reason in (earlier.reset, later.reset) if reason is not None]
    if reasons:
        return Message(later.topic, reset=min(reasons), cursor=cursor)
    return Message(later.topic, merge_changes(earlier.changes, later.changes), cursor=cursor)


def merge_changes(earlier: Changes, later: Changes) -> Changes:
    """Join two maps `{label: {pk: verb}}`."""
    merged = {label: dict(rows) for label, rows in earlier.items()}
    for label, rows in later.items():
        into = merged.setdefault(label, {})
        for pk, verb in rows.items():
            into[pk] = merge_verbs(into.get(pk, verb), verb)
    return merged


def merge_verbs(one: Verb, other: Verb) -> Verb:
    """Two different verbs for one row amount to an update."""
    return one if one == other else "updated"


def bound(message: Message, most: int) -> Message:
    """Turn a message that names more than `most` rows into a reset, if it is none yet."""
    if sum(map(len, message.changes.values())) > most:
        return replace(message, changes={}, reset=message.reset or Reset.OVERFLOW)
    return message
