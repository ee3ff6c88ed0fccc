"""A database router for projects with replicas."""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.models import Model

from realtime.fresh import must_be_fresh


class FreshReads:
    """Sends the reads of pages that are live to the database that is written.

    The first in `DATABASE_ROUTERS`; all else is left to those behind it.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Name the database that the model is written on, once a position has been taken."""
        return router.db_for_write(model, **hints) if must_be_fresh() else None
