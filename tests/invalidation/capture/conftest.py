"""Rows that most tests of capturing start from."""

from __future__ import annotations

import pytest

from tests.invalidation.told import Told
from tests.shop.models import Product, Shelf


@pytest.fixture
def shelves(db) -> tuple[Shelf, Shelf]:
    """Return shelves 1 and 2."""
    return Shelf.objects.create(pk=1), Shelf.objects.create(pk=2)


@pytest.fixture
def lamp(shelves) -> Product:
    """Return a product on shelf 1, by the maker "me"."""
    return Product.objects.create(pk=1, shelf=shelves[0], maker="me")


@pytest.fixture
def told(shelves, lamp, told) -> Told:
    """Look only at what follows the arranging."""
    told.records()
    return told
