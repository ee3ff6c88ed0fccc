"""Write plans: the declarations that a write to a table concerns.

The columns that a multi-table child inherits are in its parents' tables, so a write there changes
the child's row. And the database may change rows of other tables by itself: see `cascades`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db.models import Model

from invalidation.tracking.cascades import Cascade, Event, declared_cascades, reached
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.table_names import bare_name


@dataclass(eq=False)
class WritePlan:
    """The declarations that a write to one table concerns.

    `declaration` is the table's own, if its model is tracked. `children` are those of the tracked
    multi-table children, which inherit its columns. `cascaded` are those of the models whose rows
    the database may change by itself when rows of this table are deleted. `cascaded_by` are those
    whose rows it may change when one of these columns of this table changes.
    """

    model: type[Model]
    declaration: Declaration | None = None
    children: list[Declaration] = field(default_factory=list)
    cascaded: list[Declaration] = field(default_factory=list)
    cascaded_by: dict[str, list[Declaration]] = field(default_factory=dict)

    @cached_property
    def declarations(self) -> list[Declaration]:
        """The declarations of the models whose rows a write here changes for certain."""
        return [*([self.declaration] if self.declaration else []), *self.children]

    @cached_property
    def concerned(self) -> list[Declaration]:
        """The declarations of all models whose rows a write here may change."""
        by_columns = [each for found in self.cascaded_by.values() for each in found]
        return list(dict.fromkeys([*self.declarations, *self.cascaded, *by_columns]))

    def cascaded_by_update(self, columns: Iterable[str]) -> list[Declaration]:
        """Return the declarations whose rows the database changes if these columns change."""
        found = [each for name in columns for each in self.cascaded_by.get(name.lower(), ())]
        return list(dict.fromkeys(found))


def make_plans(
    declarations: Iterable[Declaration], catalogue: Collection[Cascade] = ()
) -> dict[str, WritePlan]:
    """Return the plans, by table name, of all tables that concern one of `declarations`.

    `catalogue` are the cascades that databases know of, beside those that the models tell of.
    """
    plans: dict[str, WritePlan] = {}

    def plan_for(model: Any) -> WritePlan:
        return plans.setdefault(model._meta.db_table, WritePlan(model._meta.concrete_model))

    tracked = {each.model: each for each in declarations}
    for model, declaration in tracked.items():
        plan_for(model).declaration = declaration
        # A proxy parent has the same table as its concrete model.
        for parent in dict.fromkeys(p._meta.concrete_model for p in model._meta.all_parents):
            plan_for(parent).children.append(declaration)
    for table, (deleted, changed) in cascades_to(plans, catalogue).items():
        for model in _models_of(table, plans):
            plan = plan_for(model)
            plan.cascaded, plan.cascaded_by = deleted, changed
    return plans


Reached = tuple[list[Declaration], dict[str, list[Declaration]]]
"""The declarations that a deletion reaches, and those that a change of a column reaches."""


def cascades_to(
    plans: Mapping[str, WritePlan], catalogue: Collection[Cascade]
) -> dict[str, Reached]:
    """Return, by bare table name, the tracked models that the database may change by itself."""
    cascades = {*declared_cascades(), *catalogue}
    by_table = {bare_name(table): plan.declarations for table, plan in plans.items()}

    def tracked(event: Event) -> list[Declaration]:
        tables = reached(event, cascades)
        return list(dict.fromkeys(d for t in sorted(tables) for d in by_table.get(t, ())))

    found: dict[str, Reached] = {}
    for table in sorted({each.target for each in cascades}):
        columns = {c for each in cascades if each.target == table for c in each.target_columns}
        deleted = tracked(Event(table))
        changed = {
            column: concerned
            for column in sorted(columns)
            if (concerned := tracked(Event(table, frozenset({column}))))
        }
        if deleted or changed:
            found[table] = (deleted, changed)
    return found


def _models_of(table: str, plans: Mapping[str, WritePlan]) -> list[Any]:
    """Return the models of the tables with a bare name."""
    models = [*(plan.model for plan in plans.values()), *apps.get_models(include_auto_created=True)]
    return [each for each in models if bare_name(each._meta.db_table) == table]


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
