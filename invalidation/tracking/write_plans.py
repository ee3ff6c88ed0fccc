"""Write plans: the declarations that a write to a table concerns.

The columns that a multi-table child inherits are in its parents' tables, so a write there changes
the child's row. And some deletions happen inside the database, where the ORM cannot see them: its
own cascades, declared on the foreign key (`DB_CASCADE`), or added by hand for a `DO_NOTHING`.
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
"""The class of `on_delete` values that make the database cascade, in Django 6.1 and later."""


@dataclass(eq=False)
class WritePlan:
    """The declarations that a write to one table concerns.

    `declaration` is the table's own, if its model is tracked. `children` are those of the tracked
    multi-table children, which inherit its columns. `cascaded` are those of the models whose rows
    the database may change by itself when rows of this table are deleted.
    """

    model: type[Model]
    declaration: Declaration | None = None
    children: list[Declaration] = field(default_factory=list)
    cascaded: list[Declaration] = field(default_factory=list)

    @cached_property
    def declarations(self) -> list[Declaration]:
        """The declarations of the models whose rows a write here changes for certain."""
        return [*([self.declaration] if self.declaration else []), *self.children]

    @cached_property
    def concerned(self) -> list[Declaration]:
        """The declarations of all models whose rows a write here may change."""
        return [*self.declarations, *self.cascaded]


def make_plans(declarations: Iterable[Declaration]) -> dict[str, WritePlan]:
    """Return the plans, by table name, of all tables that concern one of `declarations`."""
    plans: dict[str, WritePlan] = {}

    def plan_for(model: Any) -> WritePlan:
        return plans.setdefault(model._meta.db_table, WritePlan(model._meta.concrete_model))

    tracked = {each.model: each for each in declarations}
    for model, declaration in tracked.items():
        plan_for(model).declaration = declaration
        # A proxy parent has the same table as its concrete model.
        for parent in dict.fromkeys(p._meta.concrete_model for p in model._meta.all_parents):
            plan_for(parent).children.append(declaration)
    for origin, reached in _reached_by_the_database(database_relations()).items():
        concerned = [tracked[model] for model in reached if model in tracked]
        if concerned:
            plan_for(origin).cascaded = concerned
    return plans


def link_to(parent: type[Model], *, child: type[Model]) -> Any:
    """Return the child's field that holds the key of its row in a parent's table, or None."""
    path: Any = child._meta.get_path_to_parent(parent)
    first, *rest = (step.join_field for step in path)
    # Between a child and a farther parent, every table in between must have the same key.
    if not all(link.primary_key for link in rest):
        return None
    if not all(link.target_field.primary_key for link in (first, *rest)):
        return None
    return first


def database_relations() -> dict[type[Model], set[type[Model]]]:
    """Return, for each model, the models with foreign keys to it on which the database may act."""
    relations: defaultdict[type[Model], set[type[Model]]] = defaultdict(set)
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.proxy:
            for key in model._meta.local_concrete_fields:
                if key.remote_field and _is_left_to_the_database(key):
                    target: Any = key.related_model
                    relations[target._meta.concrete_model].add(model)
    return dict(relations)


def _is_left_to_the_database(key: Any) -> bool:
    # With db_constraint=False too: the project may have added a constraint by hand.
    on_delete = key.remote_field.on_delete
    return on_delete is DO_NOTHING or isinstance(on_delete, DATABASE_DELETES)


def _reached_by_the_database(
    relations: dict[type[Model], set[type[Model]]],
) -> dict[type[Model], Collection[type[Model]]]:
    """Return, for each model, all models that a cascade in the database may reach."""
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
