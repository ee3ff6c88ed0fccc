"""`invalidate()`: publish a change that no captured write reports."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Model, QuerySet

from invalidation.changes import Change, JournalEntry, UnknownRows, pk_text
from invalidation.conf import conf
from invalidation.exceptions import NotTracked
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.read_images import images_of
from invalidation.tracking.registry import declaration_of, plan_of
from invalidation.transactions.atomic import ensure_transaction
from invalidation.transactions.journal import journal_of
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic


def invalidate(what: str | Model | QuerySet[Any], using: str | None = None) -> None:
    """Publish that something changed though no captured write of a tracked row reported it.

    A topic, or a bare family like `list:`, is reset. An instance's row and the rows of a QuerySet
    are published as updated, to every topic that they belong to in the database. An instance whose
    row is gone is published as left, to its own topic. A multi-table child is published with its
    parents, and a parent with its children, which inherit its columns. Above MAX_ROWS rows the
    families are reset.

    The messages are sent when the transaction on the database `using` commits, and not at all if it
    rolls back; outside a transaction, at once. Raise NotTracked for rows of a model that is not
    tracked.
    """
    entries, alias = _entries(what, using)
    connection = connections[alias]
    connection.ensure_connection()
    with ensure_transaction(connection):
        journal_of(connection).add(entries)


def _entries(what: object, using: str | None) -> tuple[list[JournalEntry], str]:
    if isinstance(what, str):
        topic = Topic(what)
        return [Message(topic, reset=Reset.SERVER)], using or DEFAULT_DB_ALIAS
    if isinstance(what, QuerySet):
        alias = using or what.db
        return _rows(what.using(alias)), alias
    if isinstance(what, Model):
        model = type(what)
        alias = using or what._state.db or router.db_for_write(model, instance=what)
        found = _rows(model._base_manager.using(alias).filter(pk=what.pk))
        return found or [_left(each, what) for each in _declared(model)], alias
    raise TypeError(f"expected a topic, an instance or a QuerySet to invalidate, got {what!r}")


def _rows(rows: QuerySet[Any]) -> list[JournalEntry]:
    declared, children = _declared(rows.model), _children(rows.model)
    entries = [entry for each in declared for entry in _rows_of(each, rows)]
    if children:
        pk = rows.model._meta.pk.name
        keys = list(_first(rows).values_list("pk", flat=True))
        for child in children:
            inheriting = child.model._base_manager.using(rows.db).filter(**{f"{pk}__in": keys})
            entries += (
                _rows_of(child, inheriting) if len(keys) <= conf.MAX_ROWS else [_unknown(child)]
            )
    return entries


def _rows_of(declaration: Declaration, rows: QuerySet[Any]) -> list[JournalEntry]:
    found = list(images_of(declaration, _first(rows), _key_of(declaration, rows.model)))
    if len(found) > conf.MAX_ROWS:
        return [_unknown(declaration)]
    return [Change(declaration.model, pk, image, image) for pk, image in found]


def _first(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return up to MAX_ROWS rows and one more, which shows that there are too many."""
    # An order decides which rows a slice holds, so it stays. Other queries are read by key.
    ordered = rows if rows.query.is_sliced else rows.order_by("pk")
    return ordered[: conf.MAX_ROWS + 1]


def _unknown(declaration: Declaration) -> JournalEntry:
    return UnknownRows(declaration.model, Reset.BULK)


def _left(declaration: Declaration, instance: Model) -> JournalEntry:
    label = declaration.label
    # A deleted instance still has its key, under the declared model's name or its own.
    pk = pk_text(getattr(instance, _key_of(declaration, type(instance))) or instance.pk)
    return Message(declaration.object_family.with_parts(pk), {label: {pk: "left"}})


def _key_of(declaration: Declaration, model: type[Model]) -> str:
    """Return the attname of the declared row's key on `model`, which may be a multi-table child."""
    if declaration.model is model._meta.concrete_model:
        return "pk"
    return declaration.model._meta.pk.attname


def _declared(model: type[Model]) -> list[Declaration]:
    """Return the declarations of a model's table and of its parents' tables."""
    found = [declaration_of(each) for each in (model, *model._meta.all_parents)]
    declared = [declaration for declaration in found if declaration is not None]
    if not declared and not _children(model):
        raise NotTracked(
            f"invalidate(): {model._meta.label} is not tracked; expected rows of a tracked model,"
            f" or a topic: write track({model.__name__}, …) in a live.py"
        )
    return declared


def _children(model: type[Model]) -> list[Declaration]:
    """Return the declarations of the multi-table children of a model."""
    plan = plan_of(model)
    return plan.children if plan else []
