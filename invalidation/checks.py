"""System checks of the settings, of tracked models' databases and of cascades in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.db import connections, router

from invalidation.capture.catalogue.foreign_keys import read_catalogue
from invalidation.conf import Defaults
from invalidation.tracking.cascades import Cascade, Event, declared_cascades, reached
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.registry import declarations
from invalidation.tracking.table_names import bare_name
from invalidation.tracking.write_plans import make_plans
from realtime.backends import get_pubsub
from realtime.backends.database import DatabasePubSub
from realtime.checks import check_conf
from realtime.exceptions import BackendMissing


@register
def check_settings(**_: Any) -> list[CheckMessage]:
    """Report unknown names and bad values in `INVALIDATION`."""
    return check_conf("INVALIDATION", Defaults, "invalidation")


@register
def check_databases(**_: Any) -> list[CheckMessage]:
    """Report tracked models on a database where changes can be missed or their messages lost."""
    return [
        problem
        for declaration in declarations()
        for problem in _check_database(declaration.label, router.db_for_write(declaration.model))
    ]


@register
def check_cascades(**_: Any) -> list[CheckMessage]:
    """Report deletions that the database may cascade by itself, where the rows stay unknown."""
    return [
        checks.Warning(
            f"deleting a row of {plan.model._meta.label} may make the database delete or change"
            f" rows of {declaration.label}, a tracked model: each such deletion resets its"
            " families",
            hint="Use on_delete=CASCADE or SET_NULL, which Django carries out, or silence this.",
            id="invalidation.W002",
        )
        for plan in make_plans(declarations()).values()
        for declaration in plan.cascaded
    ]


@register(Tags.database)
def check_catalogue(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """List the foreign keys by which a database itself changes rows of tracked models."""
    return [
        Info(
            f"the database {alias!r} itself changes rows of {each.table} when rows of"
            f" {each.target} {_events_of(each)}: each such write resets the families of"
            f" {_labels(reached)}",
            id="invalidation.I001",
        )
        for alias in databases or ()
        for each, reached in _tracked_cascades(alias)
    ]


def _tracked_cascades(alias: str) -> Iterator[tuple[Cascade, list[Declaration]]]:
    """Give the cascades of a database that reach tracked models, but not those of W002."""
    plans = make_plans(declarations())
    own = {bare_name(table): plan.declarations for table, plan in plans.items()}
    cascades = read_catalogue(connections[alias])
    declared = {(each.table, each.columns) for each in declared_cascades()}
    for each in sorted(cascades, key=str):
        if each.on_update or (each.table, each.columns) not in declared:
            first = [
                *([Event(each.target)] if each.on_delete else []),
                *([Event(each.target, each.target_columns)] if each.on_update else []),
            ]
            tables = {table for event in first for table in reached(event, {each, *cascades})}
            concerned = [d for table in sorted(tables) for d in own.get(table, ())]
            if concerned:
                yield each, list(dict.fromkeys(concerned))


def _events_of(cascade: Cascade) -> str:
    columns = ", ".join(sorted(cascade.target_columns))
    deleted = ["are deleted"] if cascade.on_delete else []
    return " or ".join([*deleted, *([f"change in {columns}"] if cascade.on_update else [])])


def _labels(found: Iterable[Declaration]) -> str:
    return ", ".join(each.label for each in found)


def _check_database(label: str, alias: str) -> list[CheckMessage]:
    vendor = connections[alias].vendor
    if vendor not in {"sqlite", "postgresql"}:
        what = f"{label} is tracked on {alias!r}, a {vendor} database, where changes can be missed"
        hint = "Track models on SQLite and PostgreSQL only."
        return [Error(what, hint=hint, id="invalidation.E002")]
    try:
        pubsub = get_pubsub()
    except BackendMissing:
        return []
    if isinstance(pubsub, DatabasePubSub) and not pubsub.stores_on(alias):
        what = (
            f"{label} is written on {alias!r} while messages are stored on {list(pubsub.aliases)}:"
            " a crash right after a commit, or a rollback of a transaction that is open on the"
            " messages' database, loses the message"
        )
        hint = f"Add {alias!r} to REALTIME['PUBSUB']['OPTIONS']['aliases']."
        return [checks.Warning(what, hint=hint, id="invalidation.W001")]
    return []
