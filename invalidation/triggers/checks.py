"""A system check that the migrations' triggers are those that the tracked models need."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register  # noqa: A004 -- Django's name
from django.core.exceptions import ImproperlyConfigured
from django.db.migrations.exceptions import (
    AmbiguityError,
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)

from invalidation.triggers.differences import differences, load_migrations, made_triggers

_REPORTED_ELSEWHERE = (
    AmbiguityError,
    BadMigrationError,
    CircularDependencyError,
    ImproperlyConfigured,  # psycopg is not installed
    NodeNotFoundError,
)


@register
def check_triggers(**_: Any) -> list[CheckMessage]:
    """Report tables whose triggers in the migrations are out of date; nothing without triggers."""
    try:
        loader = load_migrations()
        # A project without triggers does not want them.
        stale = differences(loader) if made_triggers(loader) else []
    except _REPORTED_ELSEWHERE:
        return []
    if not stale:
        return []
    tables = ", ".join(operation.table for operation in stale)
    return [
        Warning(
            f"the triggers in the migrations are out of date for the tracked models: {tables}",
            hint="Run manage.py make_triggers, then migrate.",
            id="invalidation.W003",
        )
    ]
