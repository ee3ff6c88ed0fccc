"""A program that is not Django: it writes by a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

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
    """Run statements, each in a transaction of its own."""
    with connected(**options) as program:
        for statement in statements:
            program.execute(statement)


@contextmanager
def installed(operations: list[SetTriggers]) -> Iterator[None]:
    """Apply operations as a migration does, and take them back in the end."""
    with connection.schema_editor() as editor:
        for operation in operations:
            operation.database_forwards("shop", editor, None, None)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for operation in reversed(operations):
                operation.database_backwards("shop", editor, None, None)
