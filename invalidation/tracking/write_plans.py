"""What a write to a table concerns beside the table itself.

Columns that a multi-table child inherits are in its parents' tables, so a write there is a change
of the child's row. And some deletions go on inside the database, where no ORM sees them: cascades
of its own, declared on the foreign key (`DB_CASCADE`), or made by hand behind a `DO_NOTHING`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.models import DO_NOTHING, Model, deletion

from invalidation.tracking.declarations import Declaration

DATABASE_DELETES: Any = getattr(deletion, "DatabaseOnDelete", ())
"""The class of `on_delete` values by which the database acts, where Django has them (6.1)."""


@dataclass(eq=False)
class Plan:
    """What to tell when rows of one table are written.

    `declaration` is the table's own, if it is tracked; `children` are the tracked models that
    inherit its columns; `cascaded` those whose rows the database may change by itself when rows
    here are deleted.
    """

    model: type[Model]
    declaration: Declaration | None = None
    children: list[Declaration] = field(default_factory=list)
    cascaded: list[Declaration] = field(default_factory=list)

    @cached_property
    def declarations(self) -> list[Declaration]:
        """All that a write here changes for certain."""
        return [*([self.declaration] if self.declaration else []), *self.children]

    @cached_property
    def concerned(self) -> list[Declaration]:
        """All that any write here may change."""
        return [*self.declarations, *self.cascaded]


def make_plans(declarations: Iterable[Declaration]) -> dict[str, Plan]:
    """Return a plan for each table, by name, that concerns one of `declarations`."""
    plans: dict[str, Plan] = {}

    def plan_for(model: Any) -> Plan:
        return plans.setdefault(model._meta.db_table, Plan(model._meta.concrete_model))

    tracked = {each.model: each for each in declarations}
    for model, declaration in tracked.items():
        plan_for(model).declaration = declaration
        # A proxy among the parents has its model's table.
        for parent in dict.fromkeys(p._meta.concrete_model for p in model._meta.all_parents):
            plan_for(parent).children.append(declaration)
    for origin, reached in _reached_by_the_database(database_relations()).items():
        concerned = [tracked[model] for model in reached if model in tracked]
        if concerned:
            plan_for(origin).cascaded = concerned
    return plans


def link_to(parent: type[Model], *, child: type[Model]) -> Any:
    """Return the child's field that holds the key of its row in a parent's table, if one does."""
    path: Any = child._meta.get_path_to_parent(parent)
    first, *rest = (step.join_field for step in path)
    # Farther up the same key must go through every table.
    if not all(link.primary_key for link in rest):
        return None
    if not all(link.target_field.primary_key for link in (first, *rest)):
        return None
    return first


def database_relations() -> dict[type[Model], set[type[Model]]]:
    """Return, for each model, the models with keys to it on which the database may act."""
    relations: defaultdict[type[Model], set[type[Model]]] = defaultdict(set)
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.proxy:
            for key in model._meta.local_concrete_fields:
                if key.remote_field and _is_left_to_the_database(key):
                    target: Any = key.related_model
                    relations[target._meta.concrete_model].add(model)
    return dict(relations)


def _is_left_to_the_database(key: Any) -> bool:
    # With db_constraint=False too: it makes room for a constraint made by hand.
    on_delete = key.remote_field.on_delete
    return on_delete is DO_NOTHING or isinstance(on_delete, DATABASE_DELETES)


def _reached_by_the_database(
    relations: dict[type[Model], set[type[Model]]],
) -> dict[type[Model], Collection[type[Model]]]:
    """Follow the relations to their ends: what is deleted may in turn be referred to."""
    closed: dict[type[Model], Collection[type[Model]]] = {}
    for origin in relations:
        seen: dict[type[Model], None] = {}
        ahead = [origin]
        while ahead:
            for model in relations.get(ahead.pop(), ()):
                if model not in seen:
                    seen[model] = None
                    ahead.append(model)
        closed[origin] = seen
    return closed
