"""A program that is not Django: it writes through its own connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from invalidation.triggers.differences import load_migrations
from invalidation.triggers.operations import SetTriggers

WANTED = ("dbname", "user", "password", "host", "port")


@contextmanager
def connected(**options: Any) -> Iterator[psycopg.Connection]:
    """Connect to the test database, in autocommit."""
    given = connection.get_connection_params()
    params = {name: value for name, value in given.items() if name in WANTED}
    with psycopg.connect(**params, autocommit=True, **options) as program:
        yield program


def run(*statements: str, **options: Any) -> None:
    """Run statements, each in its own transaction."""
    with connected(**options) as program:
        for statement in statements:
            program.execute(statement)


@contextmanager
def installed(operations: list[SetTriggers]) -> Iterator[None]:
    """Apply operations as a migration does, and reverse them at the end."""
    _apply(operations)
    try:
        yield
    finally:
        _take_back(operations)


@contextmanager
def without_triggers() -> Iterator[None]:
    """Drop the triggers that the demo's migrations made; create them again at the end."""
    nodes = load_migrations().graph.nodes.values()
    made = [o for node in nodes for o in node.operations if isinstance(o, SetTriggers)]
    _take_back(made)
    try:
        yield
    finally:
        _apply(made)


def _apply(operations: list[SetTriggers]) -> None:
    with connection.schema_editor() as editor:
        for operation in operations:
            operation.database_forwards("shop", editor, None, None)


def _take_back(operations: list[SetTriggers]) -> None:
    with connection.schema_editor() as editor:
        for operation in reversed(operations):
            operation.database_backwards("shop", editor, None, None)
