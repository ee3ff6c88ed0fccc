"""The columns that PostgreSQL can spell exactly as Python does.

A topic has one spelling: a message to `price:1.5`, from a trigger, would not reach the clients of
Python's `price:1.50`. So a column counts only if `str()` of its value in Python is the database's
text, and if its type has a function in `helpers`, tested against Python's spelling. The families of
all other columns are reset.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import Field, GeneratedField

# varchar(50), text, numeric(8, 2), …; types with any further modifier are left out.
_SPELLED = re.compile(
    r"smallint|integer|bigint|text|varchar(\(\d+\))?|boolean|uuid|date|time"
    r"|timestamp with time zone|numeric\(\d+, [0-6]\)"
)
"""Types by their names in Django. Python spells a small decimal with more places as 1E-7."""


def is_spelled(field: Field[Any, Any]) -> bool:
    """Return True if SQL can spell this column's values, in topics, as Python does."""
    connection = postgres_connection()
    kind = field.db_type(connection)
    if kind is None or not _SPELLED.fullmatch(kind):
        return False
    if isinstance(field, GeneratedField) and not field.db_persist:  # type: ignore[attr-defined]
        # A virtual column is not in the rows that a trigger receives.
        return False
    if kind == "timestamp with time zone" and not _is_read_in_utc(connection):
        return False
    # Converters of the field, or of the field that its foreign key refers to, change the value.
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
    """Return a PostgreSQL connection that knows the types; it is never opened.

    Triggers can so be made on a machine whose own database is another one. Raise
    ImproperlyConfigured where psycopg is not installed.
    """
    for alias in connections:
        if connections[alias].vendor == "postgresql":
            return connections[alias]
    return _unconnected(connections["default"].settings_dict["TIME_ZONE"])
