"""Common parts of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests import hypothesis_profiles  # noqa: F401 -- registers and loads the profile


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Close connections that threads still hold, before the test database is dropped.

    Async code runs its queries in a thread that outlives the test; PostgreSQL does not drop a
    database with connections.
    """
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
