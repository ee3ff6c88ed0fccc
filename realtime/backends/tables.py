"""Whether the tables of stored records and of the outbox have been made."""

from __future__ import annotations

import logging
from typing import Any

from django.db import connections
from django.db.models import Model

from realtime.models import OutboxRecord, StoredRecord

logger = logging.getLogger("realtime.database")

Place = tuple[str, str, str]

_there: set[Place] = set()
_missed: set[Place] = set()


def is_there(alias: str, model: type[Model] = StoredRecord) -> bool:
    """Say whether the table of `model` is there; ask the database until it once was.

    Asked before writing, not found out by it: on PostgreSQL a statement that fails takes the
    writer's whole transaction with it.
    """
    found = is_found(alias, model)
    place = _place(alias, model)
    if not found and place not in _missed:
        _missed.add(place)
        logger.warning(
            "no messages are stored on %r before `migrate` has made the table of realtime", alias
        )
    return found


def is_found(alias: str, model: type[Model]) -> bool:
    """Say whether the table is there, to somebody who does not miss it."""
    place = _place(alias, model)
    if place in _there:
        return True
    connection = connections[alias]
    with connection.cursor() as cursor:
        found = model._meta.db_table in connection.introspection.table_names(cursor)
    if found:
        _there.add(place)
    return found


def ask_again(*, using: str, **_: Any) -> None:
    """Ask the database anew; a receiver of `post_migrate`, which may have made or dropped them."""
    for model in (StoredRecord, OutboxRecord):
        _there.discard(_place(using, model))
    is_there(using)


def _place(alias: str, model: type[Model]) -> Place:
    return model._meta.db_table, alias, str(connections[alias].settings_dict["NAME"])
