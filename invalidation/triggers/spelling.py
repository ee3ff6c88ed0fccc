"""Which columns PostgreSQL can spell just as Python does.

A topic has one spelling: a trigger that spelled `price:1.5` for Python's `price:1.50` would tell
nobody. So only columns count whose values Python shows by `str()` as the database holds them, of
types for which `helpers` has a function, tested against Python's. Of any other the family is reset.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import Field, GeneratedField

# varchar(50), text, numeric(8, 2), …; whatever else stands behind them is not ours to judge.
_SPELLED = re.compile(
    r"smallint|integer|bigint|text|varchar(\(\d+\))?|boolean|uuid|date|time"
    r"|timestamp with time zone|numeric\(\d+, [0-6]\)"
)
"""Types by their names in Django. A small decimal with more places is 1E-7 to Python."""


def is_spelled(field: Field[Any, Any]) -> bool:
    """Can SQL spell this column's values, in topics, as Python does?"""
    connection = postgres_connection()
    kind = field.db_type(connection)
    if kind is None or not _SPELLED.fullmatch(kind):
        return False
    if isinstance(field, GeneratedField) and not field.db_persist:  # type: ignore[attr-defined]
        # Not in the rows that a trigger is shown.
        return False
    if kind == "timestamp with time zone" and not _is_read_in_utc(connection):
        return False
    # What the field, or what its foreign key points to, makes of the value.
    column: Any = field.get_col("t")
    converters = column.get_db_converters(connection)
    return not [*converters, *connection.ops.get_db_converters(column)]


def _is_read_in_utc(connection: Any) -> bool:
    return bool(settings.USE_TZ) and connection.timezone == dt.UTC


@cache
def _unconnected(time_zone: str | None) -> Any:
    from django.db.backends.postgresql.base import DatabaseWrapper  # noqa: PLC0415 -- needs psycopg

    return DatabaseWrapper({"TIME_ZONE": time_zone, "OPTIONS": {}, "NAME": ""}, "unconnected")


def postgres_connection() -> Any:
    """Return what knows PostgreSQL's types; it is never connected.

    Triggers can so be made on a machine whose own database is another one. Raise
    ImproperlyConfigured where psycopg is not installed.
    """
    for alias in connections:
        if connections[alias].vendor == "postgresql":
            return connections[alias]
    return _unconnected(connections["default"].settings_dict["TIME_ZONE"])
