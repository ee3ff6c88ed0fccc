"""`QuerySet.update()`: constants, expressions, subqueries, joins, random conditions."""

from __future__ import annotations

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Concat, Now

from invalidation import invalidate
from tests.invalidation.oracle.world import World
from tests.invalidation.oracle.writes.registry import write
from tests.shop.models import Customer, Product, Shelf, Stock, Tag, Wish


@write
def update(world: World, a: int, b: int, text: str) -> None:
    Shelf.objects.filter(name=text).update(inside=world.shelf(a))


@write
def update_all(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.update(maker=text, hidden=b % 2)


@write
def update_over_join(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.filter(shelf__name=text).update(shelf=world.shelf(a))


@write
def update_over_many(world: World, a: int, b: int, text: str) -> None:
    """The join returns a row more than once."""
    rows = Product._base_manager.filter(Q(tags__name=text) | Q(tags__name="a")).distinct()
    rows.update(maker=F("name"), shelf=world.shelf(a))


@write
def update_by_itself(world: World, a: int, b: int, text: str) -> None:
    """The new value takes the row out of the condition."""
    rows = Product._base_manager.filter(maker=text)
    rows.update(maker=Concat(F("name"), Value("c")), name=F("maker"))


@write
def update_by_case(world: World, a: int, b: int, text: str) -> None:
    here, itself, none = Value(1), F("inside_id"), Value(None)
    cases = When(name=text, then=here), When(pk=2, then=itself)
    inside = Case(*cases, default=none, output_field=IntegerField())
    Shelf.objects.exclude(pk=a).update(inside=inside)


@write
def update_by_subquery(world: World, a: int, b: int, text: str) -> None:
    newest = Shelf.objects.filter(pk__gt=OuterRef("shelf_id")).order_by("-pk").values("pk")[:1]
    Product._base_manager.filter(~Q(maker=text)).update(shelf=Subquery(newest))


@write
def update_where_exists(world: World, a: int, b: int, text: str) -> None:
    on_it = Product._base_manager.filter(shelf=OuterRef("pk"))
    Shelf.objects.filter(Exists(on_it)).update(name=text, inside=world.shelf(b))


@write
def update_by_chance(world: World, a: int, b: int, text: str) -> None:
    """The condition matches other rows at each evaluation."""
    some = Shelf.objects.order_by("?").values("pk")[: b % 3]
    Shelf.objects.filter(pk__in=some).update(name=text, inside=world.shelf(a))


@write
def update_to_now(world: World, a: int, b: int, text: str) -> None:
    rows = Product._base_manager.filter(Q(since=None) | Q(since__lt=Now()))
    rows.filter(pk__gt=a % 3).update(since=Now())


@write
def update_prices(world: World, a: int, b: int, text: str) -> None:
    Product._base_manager.filter(price__isnull=bool(b % 2)).update(
        price=Value(a) if b % 2 else F("price") * 2
    )


@write
def update_nothing(world: World, a: int, b: int, text: str) -> None:
    [Shelf.objects.none(), Shelf.objects.filter(pk__in=[])][a % 2].update(name=text)


@write
def update_composite(world: World, a: int, b: int, text: str) -> None:
    Stock.objects.filter(amount__lte=a).update(amount=F("amount") + 1, shelf=world.shelf(b))


@write
def update_untracked(world: World, a: int, b: int, text: str) -> None:
    Tag.objects.filter(pk=a).update(name=f"tag {text}")


@write
def set_order(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a % 2):
        order = list(customer.get_wish_order())
        customer.set_wish_order(order[b % 2 :] + order[: b % 2] if a % 3 else order[::-1])


@write
def add_in_order(world: World, a: int, b: int, text: str) -> None:
    if customer := world.pick(Customer, a):
        world.see(Wish.objects.create(customer=customer, text=text))


@write
def save_elsewhere_in_order(world: World, a: int, b: int, text: str) -> None:
    if wish := world.pick(Wish, a):
        wish.customer, wish.text = world.pick(Customer, b), text
        wish.save()


@write
def tell_by_hand(world: World, a: int, b: int, text: str) -> None:
    """Unchanged rows, published as if they had been written."""
    if shelf := world.pick(Shelf, a):
        world.by_hand.add(("shop.shelf", str(shelf.pk)))
        invalidate(shelf if b % 2 else Shelf.objects.filter(pk=shelf.pk))
