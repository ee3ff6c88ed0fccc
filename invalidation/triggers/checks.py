"""A system check that the migrations' triggers are those that the tracked models need."""

from __future__ import annotations

import logging
from typing import Any

from django.core.checks import CheckMessage, Warning, register  # noqa: A004 -- Django's name
from django.core.exceptions import ImproperlyConfigured

from invalidation.triggers.differences import differences, load_migrations, made_triggers

logger = logging.getLogger("invalidation.triggers")


@register
def check_triggers(**_: Any) -> list[CheckMessage]:
    """Report tables whose triggers in the migrations are out of date; nothing without triggers."""
    try:
        loader = load_migrations()
        made = made_triggers(loader)
    except Exception:
        # `check` does not load migrations without this package, so it must not fail because of
        # them. Django's own commands report what is wrong with them.
        logger.debug("the triggers were not checked: the migrations do not load", exc_info=True)
        return []
    if not made:
        # A project without triggers does not want them.
        return []
    try:
        stale = differences(loader)
    except ImproperlyConfigured:
        # psycopg is not installed.
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
