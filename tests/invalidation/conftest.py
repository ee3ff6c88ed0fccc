"""What the tests of `invalidation` share."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import AutoField

from tests.invalidation.told import Told

GIVEN_KEYS = 1_000_000
"""Keys that tests give to rows themselves are smaller."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Let the database's own keys begin behind those that tests give.

    PostgreSQL counts them whatever rows there are, and would come to one that is taken.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            _begin_keys_at(GIVEN_KEYS)


def _begin_keys_at(number: int) -> None:
    with connection.cursor() as cursor:
        for model in apps.get_app_config("shop").get_models(include_auto_created=True):
            key = model._meta.auto_field
            if isinstance(key, AutoField) and model._meta.managed:
                names = [f'"{model._meta.db_table}"', key.column, number]
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", names)


@pytest.fixture
def told() -> Told:
    """Return what was told by commits from here on, look by look."""
    return Told()
