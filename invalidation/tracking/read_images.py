"""Reading the images of the rows that a QuerySet finds, where no write has read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from invalidation.changes import Image, pk_text
from invalidation.tracking.declarations import Declaration


def images_of(
    declaration: Declaration, rows: QuerySet[Any], key: str = "pk"
) -> Iterator[tuple[str, Image]]:
    """Give primary key, as text, and image of each row; `key` is what the rows call their key."""
    columns = sorted(declaration.columns)
    for pk, *values in rows.values_list(key, *columns):
        yield pk_text(pk), dict(zip(columns, values, strict=True))
