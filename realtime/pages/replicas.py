"""Route a live page's reads to the primary database.

With replicas, a page could take its position on the primary and then read older data from a
replica. The client would not receive the changes between them, since its cursor is newer. So from
the moment that a request takes a position, the router `FreshReads` sends its reads to the database
that is written.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from django.db import router
from django.db.models import Model

_fresh: ContextVar[bool] = ContextVar("realtime_fresh", default=False)


def must_be_fresh() -> bool:
    """Return whether reads must go to the primary, in the present context."""
    return _fresh.get()


def read_fresh() -> None:
    """Send reads to the primary until the request ends."""
    _fresh.set(True)


def forget(**_: object) -> None:
    """Reset for a new request; a receiver of `request_started`, since threads are reused."""
    _fresh.set(False)


class FreshReads:
    """Database router: sends the reads of live pages to the database that is written.

    Put it first in `DATABASE_ROUTERS`; all other decisions are left to the routers after it.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return the database for writes of the model once a position was taken; else None."""
        return router.db_for_write(model, **hints) if must_be_fresh() else None
