"""Read the images of a QuerySet's rows, outside a write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from invalidation.changes import Image, pk_text
from invalidation.tracking.declarations import Declaration


def images_of(
    declaration: Declaration, rows: QuerySet[Any], key: str = "pk"
) -> Iterator[tuple[str, Image]]:
    """Give each row's primary key as text and its image; `key` names the key on these rows."""
    columns = sorted(declaration.columns)
    for pk, *values in rows.values_list(key, *columns):
        yield pk_text(pk), dict(zip(columns, values, strict=True))
