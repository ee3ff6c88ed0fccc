"""Instances: created, saved, saved in part, from stale objects, with expressions."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Country, Discounted, Product, Shelf, Stock, Wish

YEARS = (None, datetime(2024, 5, 5, tzinfo=UTC), datetime(2025, 5, 5, tzinfo=UTC))


@write
def rest(world: World, a: int, b: int, text: str) -> None:
    """Do nothing."""


@write
def create_shelf(world: World, a: int, b: int, text: str) -> None:
    world.see(Shelf.objects.create(inside=world.shelf(a), name=text))


@write
def create_product(world: World, a: int, b: int, text: str) -> None:
    price = None if b == 0 else f"{b}.50"
    new = Product(shelf=world.shelf(a), maker=text, name=text, price=price, hidden=b % 2)
    new.since = YEARS[b % 3]
    new.save()
    world.see(new)


@write
def save(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.shelf, product.maker = world.shelf(b), text
        product.since = YEARS[b % 3]
        product.save()


@write
def save_what_is_text(world: World, a: int, b: int, text: str) -> None:
    """Numbers given as text: the object's value differs from the stored one."""
    if (product := world.pick(Product, a)) and (shelf := world.pick(Shelf, b)):
        product.shelf_id, product.price = f"0{shelf.pk}", "7"
        product.save()


@write
def save_as_it_is(world: World, a: int, b: int, text: str) -> None:
    if row := world.pick([Product, Shelf, Wish, Country][b % 4], a):
        row.save()


@write
def save_stale(world: World, a: int, b: int, text: str) -> None:
    """The object as it was read, with another name. A deleted one is inserted again."""
    stale = world.stale(a, Product, Shelf)
    if stale is not None and stale.pk is not None:
        stale.name = text
        stale.save()


@write
def save_stale_in_part(world: World, a: int, b: int, text: str) -> None:
    stale = world.stale(a, Product)
    if stale is not None and stale.pk is not None:
        stale.shelf, stale.maker = world.shelf(b), text
        stale.save(update_fields=[["shelf"], ["maker"], ["shelf", "maker"], ["name"], []][b % 5])


@write
def save_deferred(world: World, a: int, b: int, text: str) -> None:
    rows = Product._base_manager.order_by("pk")
    found = list([rows.only("name"), rows.defer("shelf"), rows.defer("maker", "price")][b % 3][:3])
    if found:
        product = world.see(found[a % len(found)])
        product.name = text
        product.save()


@write
def save_expression(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.maker = Concat(F("maker"), Value("c")) if len(product.maker) < 3 else F("name")
        product.price = F("price") + 1
        product.save()


@write
def save_proxy(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Discounted, a):
        product.shelf, product.maker = world.shelf(b), text
        product.save()


@write
def save_as_another(world: World, a: int, b: int, text: str) -> None:
    """A copy, under its own key or over another row."""
    if product := world.pick(Product, a):
        product.pk = product.id = None if b % 2 else 1 + b
        product._state.adding = True
        product.save()


@write
def insert_by_force(world: World, a: int, b: int, text: str) -> None:
    """An existing row is refused; a deleted one is inserted again."""
    stale = world.stale(a, Shelf)
    if stale is not None and stale.pk is not None:
        try:
            with transaction.atomic():
                Shelf(pk=stale.pk, name=text).save(force_insert=True)
        except IntegrityError:
            pass


@write
def update_by_force(world: World, a: int, b: int, text: str) -> None:
    """A deleted row is refused."""
    stale = world.stale(a, Shelf)
    if stale is not None and stale.pk is not None:
        stale.name = text
        stale.save(force_update=True)


@write
def get_or_create(world: World, a: int, b: int, text: str) -> None:
    defaults = {"amount": a, "shelf": world.shelf(b)}
    Stock.objects.get_or_create(shop_number=a % 3, product=text or "nut", defaults=defaults)


@write
def update_or_create(world: World, a: int, b: int, text: str) -> None:
    shelf = world.shelf(b)
    Shelf.objects.update_or_create(pk=a + 1, defaults={"name": text, "inside": shelf})
