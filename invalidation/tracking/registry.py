"""`track()`, and the registry of the declarations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from django.db.models import Model

from invalidation.exceptions import BadDeclaration
from invalidation.tracking.cascades import Cascade, catalogue
from invalidation.tracking.computed import TopicFunction, read_computed
from invalidation.tracking.declarations import Declaration, RelationEnd
from invalidation.tracking.table_names import bare_name
from invalidation.tracking.templates import check_column, read_template
from invalidation.tracking.write_plans import WritePlan, cascades_to, make_plans


@dataclass
class Registry:
    """The declarations by model, and the write plans by table that follow from them.

    Owner: the thread that starts the process, since `track()` runs at start-up. The plans are
    computed at the first write, and again after `track()` and when a database's cascades were read;
    two threads that compute them at once get equal ones.
    """

    declarations: dict[type[Model], Declaration] = field(default_factory=dict)
    _made: Made | None = None

    def declare(self, declaration: Declaration) -> None:
        """Set the declaration of a model, and forget the computed plans."""
        self.declarations[declaration.model] = declaration
        self._made = None

    @property
    def plans(self) -> dict[str, WritePlan]:
        """The write plans, by table name."""
        return self._current().plans

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables that have a write plan, or whose rows cascade."""
        return self._current().tables

    def concerned(self, table: str) -> list[Declaration]:
        """Return the declarations whose rows a write to one of `tables` may change."""
        made = self._current()
        plan = made.plans.get(table)
        return plan.concerned if plan else made.beside[table]

    def _current(self) -> Made:
        made, known = self._made, catalogue.known
        if made is None or made.catalogue is not known:
            made = self._made = _make(self.declarations.values(), known)
        return made


@dataclass(frozen=True)
class Made:
    """What follows from the declarations and the databases' cascades.

    `beside` are the declarations that a write to a table without a model concerns.
    """

    catalogue: frozenset[Cascade]
    plans: dict[str, WritePlan]
    beside: dict[str, list[Declaration]]

    @cached_property
    def tables(self) -> frozenset[str]:
        """The names of all tables."""
        return frozenset(self.plans).union(self.beside)


def _make(declared: Iterable[Declaration], known: frozenset[Cascade]) -> Made:
    plans = make_plans(declared, known)
    found = cascades_to(plans, known)
    planned = {bare_name(table) for table in plans}
    beside = {
        table: list(dict.fromkeys([*deleted, *(d for each in changed.values() for d in each)]))
        for table, (deleted, changed) in found.items()
        if table not in planned
    }
    return Made(known, plans, beside)


registry = Registry()


def track(
    model: type[Model],
    *topics: str | TopicFunction,
    reads: Iterable[str] = (),
    families: Iterable[str] = (),
    images: Iterable[str] | Literal[False] = (),
) -> None:
    """Declare which topics the rows of `model` belong to; call it in an app's live.py.

    A topic is a template, `"list:{list_id}"`, whose fields are attnames of columns of the model's
    own table; or a function that takes a frozen row with only the columns `reads` and returns
    topics of the `families`. Every tracked row also belongs to `model:app.model` and
    `object:app.model/pk`. The through tables that Django makes for the model's many-to-many
    relations are tracked with it.

    `images` names columns whose values before and after a change travel between the servers, in
    addition to the default ones (`invalidation.tracking.image_columns`); False sends none.

    A second call for a model adds to its declaration. Raise BadDeclaration, naming field and model,
    for a declaration that cannot be honoured.
    """
    concrete = _concrete(model)
    templates = tuple(read_template(t, concrete) for t in topics if isinstance(t, str))
    read, named = _names(model, reads), _names(model, families)
    functions = [_function(model, t) for t in topics if not isinstance(t, str)]
    computed = tuple(read_computed(f, concrete, read, named) for f in functions)
    extra = _image_columns(concrete, images)
    known = _known(concrete)
    registry.declare(
        replace(
            known,
            templates=tuple(dict.fromkeys((*known.templates, *templates))),
            computed=(*known.computed, *computed),
            extra_images=_both(known.extra_images, extra),
        )
    )
    for through in _made_by_django(concrete):
        registry.declare(_known(through))


def declaration_of(model: type[Model]) -> Declaration | None:
    """Return the declaration of a model's table, whichever class of the table is given."""
    plan = plan_of(model)
    return plan.declaration if plan else None


def plan_of(model: type[Model]) -> WritePlan | None:
    """Return the write plan of a model's table, whichever class of the table is given."""
    return registry.plans.get(model._meta.db_table)


def declarations() -> tuple[Declaration, ...]:
    """Return all declarations."""
    return tuple(registry.declarations.values())


def _known(model: type[Model]) -> Declaration:
    """Return the model's declaration so far, or a new one without topics."""
    known = registry.declarations.get(model)
    if known is not None:
        return known
    for other in registry.declarations:
        if other._meta.db_table == model._meta.db_table:
            raise BadDeclaration(
                f"track({model.__name__}): its table {model._meta.db_table!r} is tracked as"
                f" {other._meta.label}; expected one model a table"
            )
    return Declaration(model, ends=_ends(model))


def _made_by_django(model: type[Model]) -> list[type[Model]]:
    """Return the through models that Django made for a model's relations, from either side."""
    opts = model._meta
    fields: list[Any] = [*opts.local_many_to_many]
    fields += [r.field for r in opts.related_objects if r.many_to_many and r.model is model]
    throughs: list[Any] = [f.remote_field.through for f in fields if f.many_to_many]
    return [through for through in throughs if through._meta.auto_created]


def _ends(model: type[Model]) -> tuple[RelationEnd, ...]:
    """Return the ends of a through table that Django made; none for any other model."""
    if not model._meta.auto_created:
        return ()
    keys: list[Any] = [f for f in model._meta.local_concrete_fields if f.remote_field]
    return tuple(RelationEnd(key.attname, _label_of(key.related_model)) for key in keys)


def _label_of(model: type[Model]) -> str:
    concrete = model._meta.concrete_model
    assert concrete is not None
    return concrete._meta.label_lower


def _image_columns(model: type[Model], images: Iterable[str] | bool) -> frozenset[str] | None:
    if images is False:
        return None
    if images is True:
        raise BadDeclaration(f"track({model.__name__}): expected images=[…] or False, got True")
    named = _names(model, images)
    return frozenset(check_column(name, f"images= of {model.__name__}", model) for name in named)


def _both(known: frozenset[str] | None, more: frozenset[str] | None) -> frozenset[str] | None:
    """Add image columns to the declared ones; None, which means no images, wins."""
    return None if known is None or more is None else known | more


def _names(model: type[Model], given: Iterable[str]) -> tuple[str, ...]:
    # A string is iterable too: it would become a list of letters.
    if isinstance(given, str):
        raise BadDeclaration(f"track({model.__name__}): expected a list of names, got {given!r}")
    return tuple(given)


def _function(model: type[Model], given: TopicFunction) -> TopicFunction:
    if not callable(given):
        raise BadDeclaration(
            f"track({model.__name__}): expected templates or functions, got {given!r}"
        )
    return given


def _concrete(model: type[Model]) -> type[Model]:
    if not (isinstance(model, type) and issubclass(model, Model)):
        raise BadDeclaration(f"track(): expected a model class, got {model!r}")
    concrete = model._meta.concrete_model
    if concrete is None or model._meta.abstract:
        raise BadDeclaration(f"track({model.__name__}): expected a model with a table of its own")
    return concrete
