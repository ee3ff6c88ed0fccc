"""Whether the tables of stored records and of the outbox exist."""

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
    """Return True if the table of `model` exists; ask the database until it does.

    The writer asks before it writes: on PostgreSQL a failing statement would abort the writer's
    whole transaction. A missing table is logged once.
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
    """Return True if the table exists; log nothing if it does not."""
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
    """Ask the database again; receives `post_migrate`, which may have made or dropped a table."""
    for model in (StoredRecord, OutboxRecord):
        _there.discard(_place(using, model))
    is_there(using)


def _place(alias: str, model: type[Model]) -> Place:
    return model._meta.db_table, alias, str(connections[alias].settings_dict["NAME"])
