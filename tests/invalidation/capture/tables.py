"""Tables for models that a test defines under `isolate_apps`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model

from invalidation import track
from invalidation.tracking import registry as tracking


@contextmanager
def tracked_as(model: type[Model], *topics: Any) -> Iterator[None]:
    """Track a model within a block, in addition to the tracked ones."""
    registry = tracking.Registry(dict(tracking.registry.declarations))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "registry", registry)
        track(model, *topics)
        yield


@contextmanager
def table_of(model: type[Model], *topics: Any) -> Iterator[None]:
    """Create a model's table and track it, within a block."""
    with connection.schema_editor() as editor:
        editor.create_model(model)
    try:
        with tracked_as(model, *topics):
            yield
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(model)


def run(*statements: str) -> None:
    """Execute statements, one after the other."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
