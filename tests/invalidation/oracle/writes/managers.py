"""Managers of the many side of foreign keys, and of generic relations."""

from __future__ import annotations

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Country, Customer, Product, Review, Shelf


@write
def related_add(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.products.add(*world.some(Product, b), bulk=bool(a % 2))


@write
def related_remove(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        mine = [p for p in world.some(Product, b) if p.shelf_id == shelf.pk]
        shelf.products.remove(*mine, bulk=bool(a % 2))


@write
def related_clear(world: World, a: int, b: int, text: str) -> None:
    if owner := world.pick([Shelf, Country][b % 2], a):
        owner.products.clear(bulk=bool(a % 3))


@write
def related_set(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.products.set(world.some(Product, b), clear=bool(a % 2))


@write
def related_set_of_itself(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.shelves.set(world.some(Shelf, b))


@write
def related_create(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        world.see(shelf.products.create(name=text, maker=text))


@write
def related_get_or_create(world: World, a: int, b: int, text: str) -> None:
    if country := world.pick(Country, a):
        world.see(country.products.get_or_create(name=text, defaults={"maker": text})[0])


@write
def related_update_or_create(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.stock_set.update_or_create(shop_number=b % 3, product=text, defaults={"amount": a})


@write
def related_update(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.products.update(maker=text, shelf=world.shelf(b))


@write
def related_bulk_create(world: World, a: int, b: int, text: str) -> None:
    if shelf := world.pick(Shelf, a):
        shelf.products.bulk_create(Product(shelf=shelf, name=text) for _ in range(b % 3))


@write
def generic_create(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        world.see(customer.reviews.create(text=text))


@write
def generic_add(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.reviews.add(*world.some(Review, b), bulk=bool(a % 2))


@write
def generic_remove(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.reviews.remove(*world.some(Review, b), bulk=bool(a % 2))


@write
def generic_set(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.reviews.set(world.some(Review, b), clear=bool(a % 2))


@write
def generic_clear(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        customer.reviews.clear(bulk=bool(a % 2))


@write
def create_about(world: World, a: int, b: int, text: str) -> None:
    about = world.pick([Customer, Product][b % 2], a)
    world.see(Review.objects.create(about=about, text=text))


@write
def save_about_another(world: World, a: int, b: int, text: str) -> None:
    if review := world.pick(Review, a):
        review.about, review.text = world.pick([Customer, Product][b % 2], b), text
        review.save()
