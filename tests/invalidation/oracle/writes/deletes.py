"""Deletes: of objects, stale ones, QuerySets, with cascades, `_raw_delete`."""

from __future__ import annotations

from django.db.models import Q

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import (
    Book,
    Country,
    Coupon,
    Customer,
    Express,
    Parcel,
    Product,
    Shelf,
    Stock,
    Tag,
    Wish,
)


@write
def delete(world: World, a: int, b: int, text: str) -> None:
    """With cascades, fast deletes, SET_NULL, and rows of many-to-many tables."""
    if row := world.pick([Shelf, Product, Book, Country, Customer, Tag, Wish][b % 7], a):
        row.delete()


@write
def delete_stale(world: World, a: int, b: int, text: str) -> None:
    stale = world.stale(a, Product, Shelf)
    if stale is not None and stale.pk is not None:
        stale.delete()


@write
def delete_some(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.filter(maker=text).delete()


@write
def delete_over_join(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.filter(Q(shelf__name=text) | Q(tags__name=text)).delete()


@write
def delete_shelves(world: World, a: int, b: int, text: str) -> None:
    Shelf.objects.filter(inside__name=text).delete()


@write
def delete_with_other_keys(world: World, a: int, b: int, text: str) -> None:
    """Text keys, UUIDs, composite keys. Countries may be protected."""
    if row := world.pick([Stock, Express, Parcel, Coupon, Country][b % 5], a):
        row.delete()


@write
def delete_raw(world: World, a: int, b: int, text: str) -> None:
    """The method under Django's own fast deletes."""
    rows = Wish.objects.filter(customer__name=text) if a % 2 else Wish.objects.filter(pk=1 + b)
    rows._raw_delete("default")


@write
def delete_stock_raw(world: World, a: int, b: int, text: str) -> None:
    Stock.objects.filter(amount__gte=b)._raw_delete("default")


@write
def delete_nothing(world: World, a: int, b: int, text: str) -> None:
    Shelf.objects.filter(pk__in=[]).delete()
