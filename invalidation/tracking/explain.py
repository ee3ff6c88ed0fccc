"""Explain which topics a row belongs to, and by which rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from invalidation.changes import Image
from invalidation.exceptions import NotTracked
from invalidation.tracking.computed import Computed
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.read_images import images_of
from invalidation.tracking.registry import plan_of
from invalidation.tracking.templates import Template
from realtime.messages.topics import Topic


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule, and the topic that it gives a row; the topic is None where the rule gives none."""

    topic: Topic | None
    rule: str


def explain(model: type[Model], pk: object, using: str) -> list[Reason]:
    """Return the topics that receive a change of the row `pk`, on the database `using`.

    Rows of multi-table children are included, since they inherit the row's columns. Raise
    NotTracked if neither the model nor a child of it is tracked, DoesNotExist if there is no such
    row.
    """
    plan = plan_of(model)
    if plan is None or not plan.declarations:
        raise NotTracked(f"{model._meta.label} is not tracked: no live.py calls track() for it")
    row: Any = plan.model._base_manager.using(using).get(pk=pk)
    key = f"{plan.model._meta.pk.name}__exact"
    reasons: list[Reason] = []
    for declaration in plan.declarations:
        own = declaration.model is plan.model
        rows = declaration.model._base_manager.using(using)
        rows = rows.filter(pk=row.pk) if own else rows.filter(**{key: row.pk})
        reasons += _reasons(
            declaration, rows, "" if own else f" of {declaration.model._meta.label}"
        )
    return reasons


def _reasons(declaration: Declaration, rows: Any, whose: str) -> Iterator[Reason]:
    for pk, image in images_of(declaration, rows):
        yield Reason(declaration.model_topic, f"every row{whose}")
        own = declaration.object_family.with_parts(pk) if pk else None
        yield Reason(own, f"the row{whose} itself")
        for template in declaration.templates:
            yield Reason(
                template.fill(image), f"{str(template)!r}{whose}, {_values(template, image)}"
            )
        for computed in declaration.computed:
            rule = f"{_name(computed)}(){whose}, {_values(computed, image)}"
            yield from [Reason(t, rule) for t in sorted(computed.fill(image))] or [
                Reason(None, rule)
            ]
        for end in declaration.ends:
            key = image[end.column]
            topic = None if key in (None, "") else end.family.with_parts(key)
            yield Reason(topic, f"the {end.label} at its end, {end.column} = {key!r}")


def _values(rule: Template | Computed, image: Image) -> str:
    return ", ".join(f"{name} = {image[name]!r}" for name in sorted(rule.columns))


def _name(computed: Computed) -> str:
    function = computed.function
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
