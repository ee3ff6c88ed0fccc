"""Helpers for the tests of raw SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import Model

from tests.invalidation.told import resets
from tests.shop.models import Book, Product, Shelf

UPDATE = "UPDATE shop_shelf SET name = 'raw'"

# The lines of a reset of all tracked topics of these two models.
SHELF_FAMILIES = ("shelf:", "inside:")
PRODUCT_FAMILIES = ("shelf:", "origin:", "maker:", "shout:", "price:", "year:")


@contextmanager
def undone() -> Iterator[None]:
    """Run a block in a transaction that is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def execute(sql, params=None):
    """Execute a statement with a cursor."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def raw_resets(model: type[Model], *families: str) -> set[str]:
    """Return the lines of a raw SQL reset of a model's families."""
    return {line.replace(" reset bulk", " reset raw-sql") for line in resets(model, *families)}


SHELVES = raw_resets(Shelf, *SHELF_FAMILIES)
# A child's rows inherit the columns.
PRODUCTS = raw_resets(Product, *PRODUCT_FAMILIES) | raw_resets(Book, "author:")
