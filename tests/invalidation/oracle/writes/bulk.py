"""Writes of many objects at once."""

from __future__ import annotations

from django.db.models import F, Value
from django.db.models.functions import Upper

from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import (
    Book,
    Country,
    Coupon,
    Customer,
    Nickname,
    Parcel,
    Product,
    Shelf,
    Stock,
)


@write
def bulk_create(world: World, a: int, b: int, text: str) -> None:
    many = [Product(shelf=world.shelf(a + i), maker=text) for i in range(b % 4)]
    Product.objects.bulk_create(many, batch_size=2)


@write
def bulk_create_ignoring(world: World, a: int, b: int, text: str) -> None:
    many = [Customer(name=name) for name in ("a", f"{text}{a}", f"c{b}")]
    Customer.objects.bulk_create(many, ignore_conflicts=True)


@write
def bulk_create_over_names(world: World, a: int, b: int, text: str) -> None:
    """An upsert on another column than the key."""
    many = [Country(code="de", name=text), Country(code=f"c{a % 3}", name=text)]
    Country.objects.bulk_create(
        many, update_conflicts=True, unique_fields=["code"], update_fields=["name"]
    )


@write
def bulk_create_over_shelves(world: World, a: int, b: int, text: str) -> None:
    inside = world.shelf(b)
    many = [Shelf(pk=1 + (a + i) % 4, name=text, inside=inside) for i in range(1 + b % 3)]
    Shelf.objects.bulk_create(
        many,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["name", "inside"][a % 2 :],
        batch_size=2,
    )


@write
def bulk_create_over_customers(world: World, a: int, b: int, text: str) -> None:
    many = [Customer(pk=50 + b, name="a"), Customer(name=f"{text}{a}")]
    Customer.objects.bulk_create(
        many[b % 2 :], update_conflicts=True, unique_fields=["name"], update_fields=["name"]
    )


@write
def bulk_create_over_parents(world: World, a: int, b: int, text: str) -> None:
    """The child inherits the updated columns."""
    if parcel := world.pick(Parcel, a):
        country = world.pick(Country, b)
        Parcel.objects.bulk_create(
            [Parcel(pk=parcel.pk, country=country)],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["country"],
        )


@write
def bulk_create_over_stock(world: World, a: int, b: int, text: str) -> None:
    many = [Stock(shop_number=1, product="nut", amount=a, shelf=world.shelf(b))]
    many.append(Stock(shop_number=a % 3, product=text or "bolt", shelf=world.shelf(a)))
    Stock.objects.bulk_create(
        many,
        update_conflicts=True,
        unique_fields=["shop_number", "product"],
        update_fields=["amount", "shelf"],
    )


@write
def bulk_create_over_nicknames(world: World, a: int, b: int, text: str) -> None:
    """The objects' keys differ from the stored ones."""
    Nickname.objects.bulk_create([Nickname("ANN"), Nickname(text or "Bo")], ignore_conflicts=True)


@write
def bulk_create_by_expression(world: World, a: int, b: int, text: str) -> None:
    many = [Coupon(code=Upper(Value(f"x{a}")), shelf=world.shelf(b)), Coupon()]
    Coupon.objects.bulk_create(many[: 1 + b % 2], ignore_conflicts=bool(b % 3))


@write
def bulk_update(world: World, a: int, b: int, text: str) -> None:
    many = list(Product._base_manager.order_by("pk")[: b % 5])
    for product in many:
        product.shelf, product.maker = world.shelf(a), F("name") if b % 2 else text
    Product._base_manager.bulk_update(many, ["shelf", "maker"], batch_size=2)


@write
def bulk_update_children(world: World, a: int, b: int, text: str) -> None:
    many = list(Book._base_manager.order_by("pk")[: 1 + b % 3])
    for book in many:
        book.author, book.maker = text, text
    Book._base_manager.bulk_update(many, [["author"], ["maker"], ["author", "maker"]][a % 3])


@write
def bulk_update_stale(world: World, a: int, b: int, text: str) -> None:
    """Some objects' rows are deleted or have moved."""
    many = [each for each in world.objects if type(each) is Shelf and each.pk is not None]
    many = list({each.pk: each for each in many}.values())
    for shelf in many:
        shelf.name = text
    Shelf.objects.bulk_update(many, ["name", "inside"])
