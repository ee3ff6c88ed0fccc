"""Reads that may not be older than the position that goes with them.

Where reads are spread over replicas, a page could take its position on the primary and then read
what a replica does not have yet: older data than its cursor says, and nobody would tell it. From
the moment that a request takes a position, the router `FreshReads` sends its reads to the
database that is written.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from django.db import router
from django.db.models import Model

_fresh: ContextVar[bool] = ContextVar("realtime_fresh", default=False)


def must_be_fresh() -> bool:
    """Must what is read now be as new as what was written?"""
    return _fresh.get()


def read_fresh() -> None:
    """Read what is up to date, until the request ends."""
    _fresh.set(True)


def forget(**_: object) -> None:
    """Begin anew; a receiver of Django's `request_started`, since threads serve many requests."""
    _fresh.set(False)


class FreshReads:
    """Sends the reads of pages that are live to the database that is written.

    The first in `DATABASE_ROUTERS`; all else is left to those behind it.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Name the database that the model is written on, once a position has been taken."""
        return router.db_for_write(model, **hints) if must_be_fresh() else None
