"""Whether the table of records has been made."""

from __future__ import annotations

import logging
from typing import Any

from django.db import connections

from realtime.models import StoredRecord

logger = logging.getLogger("realtime.database")

Place = tuple[str, str]

_there: set[Place] = set()
_missed: set[Place] = set()


def is_there(alias: str) -> bool:
    """Say whether the table is there; ask the database until it once was.

    Asked before writing, not found out by it: on PostgreSQL a statement that fails takes the
    writer's whole transaction with it.
    """
    place = _place(alias)
    if place in _there:
        return True
    connection = connections[alias]
    with connection.cursor() as cursor:
        found = StoredRecord._meta.db_table in connection.introspection.table_names(cursor)
    if found:
        _there.add(place)
    elif place not in _missed:
        _missed.add(place)
        logger.warning(
            "no messages are stored on %r before `migrate` has made the table of realtime", alias
        )
    return found


def ask_again(*, using: str, **_: Any) -> None:
    """Ask the database anew; a receiver of `post_migrate`, which may have made or dropped it."""
    _there.discard(_place(using))
    is_there(using)


def _place(alias: str) -> Place:
    return alias, str(connections[alias].settings_dict["NAME"])
