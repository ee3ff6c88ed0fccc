"""Cascades: what the database does by itself to the rows of other tables.

A foreign key with an action deletes or changes the rows that refer to a deleted row, or to a row
whose referenced columns change. Some are known from the models: `DB_CASCADE` and its like of Django
6.1, and `DO_NOTHING`, behind which a constraint or trigger made by hand may stand. All others are
known from the database's catalogue: see
`invalidation.capture.catalogue.foreign_keys`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from django.apps import apps
from django.db.models import DO_NOTHING, deletion

from invalidation.tracking.table_names import bare_name

DATABASE_DELETES: Any = getattr(deletion, "DatabaseOnDelete", ())
"""The class of `on_delete` values that make the database cascade, in Django 6.1 and later."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """A foreign key on which the database acts by itself; names are bare and in lower case.

    `on_delete` is what happens to rows of `table` when the row that they refer to is deleted:
    "delete" or "set", or None. `on_update` is True if their columns change with the referenced
    ones.
    """

    table: str
    columns: frozenset[str]
    target: str
    target_columns: frozenset[str]
    on_delete: str | None
    on_update: bool

    @classmethod
    def of(
        cls,
        key: tuple[str, Iterable[str]],
        target: tuple[str, Iterable[str]],
        on_delete: str | None,
        on_update: bool,
    ) -> Self:
        """Make a cascade of two tables with their columns, in any spelling."""
        (table, columns), (referenced, referenced_columns) = key, target
        return cls(
            bare_name(table),
            frozenset(each.lower() for each in columns),
            bare_name(referenced),
            frozenset(each.lower() for each in referenced_columns),
            on_delete,
            on_update,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Rows of a table are deleted, or the given columns of them change."""

    table: str
    columns: frozenset[str] | None = None
    """None for a deletion."""


def reached(event: Event, cascades: Collection[Cascade]) -> set[str]:
    """Return the tables whose rows the database may change by itself after an event."""
    seen, ahead = {event}, [event]
    while ahead:
        for follows in _follow(ahead.pop(), cascades):
            if follows not in seen:
                seen.add(follows)
                ahead.append(follows)
    return {each.table for each in seen - {event}}


def _follow(event: Event, cascades: Iterable[Cascade]) -> Iterator[Event]:
    for each in cascades:
        if each.target != event.table:
            continue
        if event.columns is None:
            if each.on_delete is not None:
                yield Event(each.table, None if each.on_delete == "delete" else each.columns)
        elif each.on_update and each.target_columns & event.columns:
            yield Event(each.table, each.columns)


class Catalogue:
    """The cascades that databases know of; a cascade of one database counts for all.

    Any thread may set them. `known` is replaced as a whole, so that its identity tells a change.
    """

    def __init__(self) -> None:
        self.known: frozenset[Cascade] = frozenset()
        self._by_database: dict[object, frozenset[Cascade]] = {}

    def of(self, database: object) -> frozenset[Cascade] | None:
        """Return the cascades of a database; None if they were not read yet."""
        return self._by_database.get(database)

    def learn(self, database: object, cascades: frozenset[Cascade]) -> None:
        """Set the cascades of a database."""
        self._by_database[database] = cascades
        known = frozenset().union(*list(self._by_database.values()))
        if known != self.known:
            self.known = known


catalogue = Catalogue()


def declared_cascades() -> list[Cascade]:
    """Return the cascades that the models tell of; where a model says nothing, the worst."""
    found: list[Cascade] = []
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.proxy:
            for key in model._meta.local_concrete_fields:
                if key.remote_field and _is_left_to_the_database(key):
                    found += _cascades_of(model, key)
    return found


def _cascades_of(model: Any, key: Any) -> Iterator[Cascade]:
    target: Any = key.related_model
    own = (model._meta.db_table, [str(key.column)])
    referenced = (target._meta.db_table, [str(key.target_field.column)])
    for action in _actions_of(key.remote_field.on_delete):
        yield Cascade.of(own, referenced, action, on_update=False)


def _actions_of(on_delete: Any) -> tuple[str, ...]:
    if on_delete is DO_NOTHING:
        # A constraint made by hand may do either.
        return ("delete", "set")
    return ("delete",) if on_delete is getattr(deletion, "DB_CASCADE", None) else ("set",)


def _is_left_to_the_database(key: Any) -> bool:
    # With db_constraint=False too: the project may have added a constraint by hand.
    on_delete = key.remote_field.on_delete
    return on_delete is DO_NOTHING or isinstance(on_delete, DATABASE_DELETES)
