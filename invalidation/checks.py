"""System checks of the settings, of tracked models' databases and of cascades in the database."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router

from invalidation.conf import Defaults
from invalidation.tracking import registry as tracking
from invalidation.tracking.registry import declarations
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
        for plan in tracking.registry.plans.values()
        for declaration in plan.cascaded
    ]


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
