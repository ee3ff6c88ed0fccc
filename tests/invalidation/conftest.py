"""Fixtures that all tests of `invalidation` share."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import AutoField

from invalidation.tracking import registry as tracking
from tests.invalidation.told import Told
from tests.shop.models import Product, Shelf

GIVEN_KEYS = 1_000_000
"""Tests give rows smaller keys than this themselves."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Start the database's own keys above those that tests give.

    PostgreSQL's sequences ignore existing rows, and would reach a key that is taken.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            _begin_keys_at(GIVEN_KEYS)


def _begin_keys_at(number: int) -> None:
    with connection.cursor() as cursor:
        for model in apps.get_app_config("shop").get_models(include_auto_created=True):
            key = model._meta.auto_field
            if isinstance(key, AutoField) and model._meta.managed:
                table, column = map(connection.ops.quote_name, (model._meta.db_table, key.column))
                # `START WITH` holds after a restart of the sequence too.
                start = f"SET START WITH {number} RESTART"
                cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} {start}")


@pytest.fixture
def told() -> Told:
    """Return a reader of the records that are stored from here on."""
    return Told()


@pytest.fixture
def shelves(db) -> tuple[Shelf, Shelf]:
    """Return shelves 1 and 2."""
    return Shelf.objects.create(pk=1), Shelf.objects.create(pk=2)


@pytest.fixture
def lamp(shelves) -> Product:
    """Return a product on shelf 1, by the maker "me"."""
    return Product.objects.create(pk=1, shelf=shelves[0], maker="me")


@pytest.fixture
def declarations(monkeypatch) -> dict:
    """Return the project's declarations; those that a test adds end with the test."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    return known
