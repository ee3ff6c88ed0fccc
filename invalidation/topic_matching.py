"""From changes to messages: which topics a row did belong to and does belong to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from realtime.messages import Message, Verb
from realtime.topics import Topic

if TYPE_CHECKING:
    from django.db.models import Model

    from invalidation.changes import Change, Image
    from invalidation.tracking import Declaration


def topics_of(declaration: Declaration, pk: str, row: Image | None) -> frozenset[Topic]:
    """Return every topic that a row belongs to; none where there is no row."""
    if row is None:
        return frozenset()
    own = {declaration.model_topic}
    if pk:
        # An empty text is a legal key, but no topic can spell it.
        own.add(Topic.of("object", declaration.label, pk))
    filled = {topic for t in declaration.templates if (topic := t.fill(row)) is not None}
    return frozenset(own.union(filled, *(rule.fill(row) for rule in declaration.computed)))


def verbs_of(declaration: Declaration, change: Change) -> dict[Topic, Verb]:
    """Return what the change is to each topic that the row did or does belong to."""
    did = topics_of(declaration, change.pk, change.before)
    does = topics_of(declaration, change.pk, change.after)
    verbs: dict[Topic, Verb] = dict.fromkeys(does - did, "entered")
    verbs.update(dict.fromkeys(did - does, "left"))
    verbs.update(dict.fromkeys(did & does, "updated"))
    return verbs


def messages_for(
    changes: Iterable[Change], declaration_of: Callable[[type[Model]], Declaration | None]
) -> list[Message]:
    """Return one message a topic for all the changes of a transaction."""
    told: defaultdict[Topic, defaultdict[str, dict[str, Verb]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for change in changes:
        declaration = declaration_of(change.model)
        if declaration is not None:
            for topic, verb in verbs_of(declaration, change).items():
                told[topic][declaration.label][change.pk] = verb
    return [
        Message(topic, cast("dict[str, dict[str, Verb]]", rows)) for topic, rows in told.items()
    ]
