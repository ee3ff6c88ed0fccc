"""Many-to-many relations, from both ends and to the same table; and their through rows."""

from __future__ import annotations

from django.db import transaction

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Book, Customer, Product, Tag

THROUGH = Product.tags.through


@write
def tags_add(world: World, a: int, b: int, text: str) -> None:
    """Existing relations stay as they are."""
    if product := world.pick([Product, Book][a % 2], a):
        product.tags.add(*world.some(Tag, b))


@write
def tags_remove(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.tags.remove(*world.some(Tag, b))


@write
def tags_set(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.tags.set(world.some(Tag, b), clear=bool(a % 2))


@write
def tags_clear(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.tags.clear()


@write
def tags_create(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.tags.create(name=f"{text}{b}")


@write
def tags_get_or_create(world: World, a: int, b: int, text: str) -> None:
    if product := world.pick(Product, a):
        product.tags.get_or_create(name=f"{text}{b}")


@write
def products_add(world: World, a: int, b: int, text: str) -> None:
    """From the other end, whose own rows are not tracked."""
    if tag := world.pick(Tag, a):
        tag.products.add(*world.some(Product, b))


@write
def products_set(world: World, a: int, b: int, text: str) -> None:
    if tag := world.pick(Tag, a):
        tag.products.set(world.some(Product, b))


@write
def products_remove(world: World, a: int, b: int, text: str) -> None:
    if tag := world.pick(Tag, a):
        [lambda: tag.products.remove(*world.some(Product, b)), tag.products.clear][a % 2]()


@write
def products_create(world: World, a: int, b: int, text: str) -> None:
    if tag := world.pick(Tag, a):
        with transaction.atomic():  # Django inserts the product, then the through row
            world.see(tag.products.create(name=text, shelf=world.shelf(b)))


@write
def friends_add(world: World, a: int, b: int, text: str) -> None:
    """Two rows a friendship, except one with oneself."""
    if customer := world.pick(Customer, a):
        customer.friends.add(*world.some(Customer, b))


@write
def friends_remove(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.friends.remove(*world.some(Customer, b))


@write
def friends_set(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.friends.set(world.some(Customer, b), clear=bool(a % 2))


@write
def friends_clear(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.friends.clear()


@write
def follows_add(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        [customer.follows, customer.followers][b % 2].add(*world.some(Customer, b))


@write
def follows_set(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        [customer.follows, customer.followers][b % 2].set(world.some(Customer, b))


@write
def follows_create(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        with transaction.atomic():
            world.see([customer.follows, customer.followers][b % 2].create(name=f"{text}{a}"))


@write
def between_create(world: World, a: int, b: int, text: str) -> None:
    product, tag = world.pick(Product, a), world.pick(Tag, b)
    if product and tag:
        THROUGH.objects.create(product=product, tag=tag)


@write
def between_bulk_create(world: World, a: int, b: int, text: str) -> None:
    if tag := world.pick(Tag, b):
        many = [THROUGH(product=product, tag=tag) for product in world.some(Product, a)]
        THROUGH.objects.bulk_create(many, ignore_conflicts=True)


@write
def between_update(world: World, a: int, b: int, text: str) -> None:
    """The through row moves from one end to another; both get messages."""
    if product := world.pick(Product, a):
        THROUGH.objects.filter(tag__name=text).update(product=product)


@write
def between_save(world: World, a: int, b: int, text: str) -> None:
    if row := world.pick(THROUGH, a):
        row.tag = world.pick(Tag, b)
        row.save()


@write
def between_delete(world: World, a: int, b: int, text: str) -> None:
    rows = THROUGH.objects.filter(product__maker=text)
    rows.delete() if a % 2 else rows._raw_delete("default")
