"""Turn changes into messages to the topics that the rows belonged to and belong to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from invalidation.tracking.images import Images
from realtime.messages.message import Message, Verb
from realtime.messages.topics import Topic

if TYPE_CHECKING:
    from django.db.models import Model

    from invalidation.changes import Change, Image
    from invalidation.tracking.declarations import Declaration

Rows = dict[Topic, dict[str, dict[str, Verb]]]
"""The verbs by topic, model label and primary key, as a message carries them."""


def topics_of(declaration: Declaration, pk: str, row: Image | None) -> frozenset[Topic]:
    """Return every topic that a row belongs to; none if `row` is None."""
    if row is None:
        return frozenset()
    return frozenset(_declared(declaration, row).union(_own(declaration, pk)))


def verbs_of(declaration: Declaration, change: Change) -> dict[Topic, Verb]:
    """Return the verb of the change for each topic that the row belonged to or belongs to."""
    before, after = change.before, change.after
    if before is None or after is None:
        verb: Verb = "entered" if before is None else "left"
        row = after if before is None else before
        return dict.fromkeys(topics_of(declaration, change.pk, row), verb)
    verbs: dict[Topic, Verb] = dict.fromkeys(_own(declaration, change.pk), "updated")
    did = _declared(declaration, before)
    does = did if after is before else _declared(declaration, after)
    verbs.update(dict.fromkeys(does - did, "entered"))
    verbs.update(dict.fromkeys(did - does, "left"))
    verbs.update(dict.fromkeys(did & does, "updated"))
    return verbs


def ends_of(declaration: Declaration, change: Change) -> Iterable[tuple[Topic, str, str]]:
    """Give topic, label and key of the rows at a through row's ends, before and after."""
    for end in declaration.ends:
        keys = {row[end.column] for row in (change.before, change.after) if row is not None}
        for key in keys - {None, ""}:
            yield end.family.with_parts(key), end.label, str(key)


def messages_for(
    changes: Iterable[Change],
    declaration_of: Callable[[type[Model]], Declaration | None],
    max_image_bytes: int = 0,
) -> list[Message]:
    """Return one message a topic for all changes of a transaction.

    `max_image_bytes` limits the images of one message: see `invalidation.tracking.images`.
    """
    told: Rows = {}
    images = Images(max_image_bytes)
    known = [(d, change) for change in changes if (d := declaration_of(change.model)) is not None]
    for declaration, change in known:
        if declaration.image_columns:
            images.add(declaration.label, change, declaration.image_columns)
        for topic, verb in verbs_of(declaration, change).items():
            told.setdefault(topic, {}).setdefault(declaration.label, {})[change.pk] = verb
    for declaration, change in known:
        for topic, label, pk in ends_of(declaration, change):
            # If the row itself changed too, its own verb says more.
            told.setdefault(topic, {}).setdefault(label, {}).setdefault(pk, "updated")
    return [Message(topic, rows, extra=images.of(rows)) for topic, rows in told.items()]


def topics_concerned(
    declaration: Declaration, changes: Iterable[Change], max_topics: int
) -> frozenset[Topic] | None:
    """Return the topics to reset if there are too many rows to name; None above `max_topics`.

    The family of single rows' topics stands for all of them.
    """
    topics = {declaration.model_topic, declaration.object_family}
    topics.update(end.family for end in declaration.ends)
    last: Any = None
    for change in changes:
        for row in (change.before, change.after):
            if row is not None and row != last:
                topics |= _declared(declaration, row)
                last = row
        if len(topics) > max_topics:
            return None
    return frozenset(topics)


def _declared(declaration: Declaration, row: Image) -> set[Topic]:
    filled = {topic for t in declaration.templates if (topic := t.fill(row)) is not None}
    for rule in declaration.computed:
        filled |= rule.fill(row)
    return filled


def _own(declaration: Declaration, pk: str) -> tuple[Topic, ...]:
    # An empty text is a legal primary key, but a topic cannot contain it.
    own = declaration.model_topic
    return (own, declaration.object_family.with_parts(pk)) if pk else (own,)
