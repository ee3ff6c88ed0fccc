"""Keys of every kind: made by the database, by Python, by an expression; changed; reused."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Value
from django.db.models.functions import Concat, Upper

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Country, Coupon, Nickname, Parcel, Shelf, Stock


@write
def create_with_text_key(world: World, a: int, b: int, text: str) -> None:
    world.see(Country(code=["", "ä ü", "a/b", "%2F", "?&"][b % 5])).save()


@write
def save_stale_with_text_key(world: World, a: int, b: int, text: str) -> None:
    stale = world.stale(a, Country)
    if stale is not None:
        stale.name = text
        stale.save()


@write
def create_with_key_by_database(world: World, a: int, b: int, text: str) -> None:
    """A second one is refused, since the key is always the same."""
    Coupon.objects.create(shelf=world.shelf(a))


@write
def create_with_key_by_expression(world: World, a: int, b: int, text: str) -> None:
    Coupon(code=Upper(Value(f"x{text}{b % 3}")), shelf=world.shelf(a)).save(force_insert=True)


@write
def create_with_key_of_another_spelling(world: World, a: int, b: int, text: str) -> None:
    Nickname(name=["Ann", "BO", "Cy"][a % 3]).save()


@write
def create_with_composite_key(world: World, a: int, b: int, text: str) -> None:
    Stock.objects.create(shop_number=a % 3, product=text or "ö", shelf=world.shelf(b))


@write
def save_with_composite_key(world: World, a: int, b: int, text: str) -> None:
    if stock := world.pick(Stock, a):
        stock.amount, stock.shelf = b, world.shelf(b)
        stock.save(update_fields=[["amount"], ["shelf"], None][a % 3])


@write
def create_with_given_uuid(world: World, a: int, b: int, text: str) -> None:
    world.see(Parcel(pk=UUID(int=a % 3), country=world.pick(Country, b))).save()


@write
def change_number_key(world: World, a: int, b: int, text: str) -> None:
    """The database refuses it if other rows refer to the key."""
    if shelf := world.pick(Shelf, a):
        Shelf.objects.filter(pk=shelf.pk).update(id=1 + b, name=text)


@write
def shift_number_keys(world: World, a: int, b: int, text: str) -> None:
    Shelf.objects.filter(products=None, shelves=None, stock=None).update(id=F("id") + 1_000)


@write
def change_text_key(world: World, a: int, b: int, text: str) -> None:
    Country.objects.filter(code=["f/r", "a/b", ""][a % 3]).update(code=f"new{b % 3}/")


@write
def change_text_keys_by_expression(world: World, a: int, b: int, text: str) -> None:
    Country.objects.filter(products=None).update(code=Concat(F("code"), Value("~")), name=text)


@write
def change_key_of_another_spelling(world: World, a: int, b: int, text: str) -> None:
    Nickname.objects.filter(name="ann").update(name=f"ANNA{b % 3}")


@write
def change_composite_key(world: World, a: int, b: int, text: str) -> None:
    if stock := world.pick(Stock, a):
        rows = Stock.objects.filter(shop_number=stock.shop_number, product=stock.product)
        rows.update(**[{"product": text or "ä"}, {"shop_number": F("shop_number") + b}][b % 2])


@write
def delete_and_make_anew(world: World, a: int, b: int, text: str) -> None:
    """The same key in one transaction: the row has changed, or is even the same."""
    if shelf := world.pick(Shelf, a):
        key, name = shelf.pk, shelf.name
        world.delete_and_make(shelf, Shelf(pk=key, name=text if b % 2 else name))


@write
def delete_and_make_stock_anew(world: World, a: int, b: int, text: str) -> None:
    if stock := world.pick(Stock, a):
        again = Stock(shop_number=stock.shop_number, product=stock.product, shelf=world.shelf(b))
        world.delete_and_make(stock, again)
