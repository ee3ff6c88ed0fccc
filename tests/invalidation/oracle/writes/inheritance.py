"""Multi-table inheritance: children and parents, each through the other."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import F

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Book, Country, Express, Parcel, Product


@write
def create_child(world: World, a: int, b: int, text: str) -> None:
    world.see(Book.objects.create(shelf=world.shelf(a), name=text, author=text, hidden=b % 2))


@write
def create_child_with_uuid(world: World, a: int, b: int, text: str) -> None:
    key = UUID(int=10 + a)  # a random one would order the rows differently each time
    world.see(Express.objects.create(pk=key, hours=b, country=world.pick(Country, b)))


@write
def create_parent_with_uuid(world: World, a: int, b: int, text: str) -> None:
    world.see(Parcel.objects.create(pk=UUID(int=10 + a), country=world.pick(Country, b)))


@write
def save_child(world: World, a: int, b: int, text: str) -> None:
    if book := world.pick(Book, a):
        book.shelf, book.author, book.chapter_of = world.shelf(b), text, world.pick(Book, b)
        book.save()


@write
def save_child_in_part(world: World, a: int, b: int, text: str) -> None:
    """Its own columns, its parent's, or both."""
    if book := world.pick(Book, a):
        book.maker, book.author, book.hidden = text, text, b % 2
        book.save(update_fields=[["maker"], ["author"], ["hidden", "author"]][b % 3])


@write
def save_stale_child(world: World, a: int, b: int, text: str) -> None:
    stale = world.stale(a, Book, Express)
    if stale is not None and stale.pk is not None:
        stale.author = text
        stale.save()


@write
def save_parent(world: World, a: int, b: int, text: str) -> None:
    """A child's row, saved through its parent's class."""
    if book := world.pick(Book, a):
        product = Product._base_manager.get(pk=book.pk)
        product.maker = text
        product.save()


@write
def save_parent_with_uuid(world: World, a: int, b: int, text: str) -> None:
    if parcel := world.pick(Parcel, a):
        parcel.country = world.pick(Country, b)
        parcel.save()


@write
def update_children(world: World, a: int, b: int, text: str) -> None:
    """Its own columns, its parent's, both; by conditions on both tables."""
    rows = Book._base_manager.exclude(author=text).filter(maker__gte="")
    values = {"author": F("author") if a % 2 else text, "maker": text, "shelf": world.shelf(b)}
    for unset in [("maker", "shelf"), ("author",), ()][b % 3]:
        del values[unset]
    rows.update(**values)


@write
def update_parents_of(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.filter(book__author=text).update(shelf=world.shelf(a))


@write
def update_express(world: World, a: int, b: int, text: str) -> None:
    rows = Express.objects.filter(country__code__gt="")
    rows.update(**[{"hours": F("hours") + 1}, {"country": world.pick(Country, a)}][b % 2])


@write
def delete_keeping_parents(world: World, a: int, b: int, text: str) -> None:
    if book := world.pick(Book, a):
        book.delete(keep_parents=True)


@write
def put_another_parent_under(world: World, a: int, b: int, text: str) -> None:
    """Foreign keys are checked at the commit, so the child's row may stay meanwhile."""
    if book := world.pick(Book, a):
        with transaction.atomic():
            parent = Product._base_manager.filter(pk=book.pk)
            parent.update(id=F("id") + 1_000) if b % 2 else parent._raw_delete("default")
            Product(pk=book.pk, shelf=world.shelf(b), maker=text).save(force_insert=True)


@write
def make_child_of(world: World, a: int, b: int, text: str) -> None:
    """Give an existing parent row a child."""
    if product := world.pick(Product, a):
        child = Book(product_ptr=product, author=text)
        child.__dict__.update({k: v for k, v in product.__dict__.items() if k[0] != "_"})
        child.save()


@write
def make_child_raw(world: World, a: int, b: int, text: str) -> None:
    """As `loaddata` does: the child's table only."""
    if parcel := world.pick(Parcel, a):
        Express(parcel_ptr=parcel, hours=b).save_base(raw=True)
