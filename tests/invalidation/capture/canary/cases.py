"""A case for each method that writes: it calls it on real rows and returns the expected lines.

`call(owner, …)` calls the method under test, or its async twin, so that one case serves both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.invalidation.told import Told, lines, moved
from tests.shop.models import Product, Shelf, Sign, Tag


@dataclass
class World:
    """The first rows: a lamp on shelf 1, by the maker "me", and a tag without products."""

    shelves: tuple[Shelf, Shelf]
    lamp: Product
    tag: Tag
    about: str
    """The tag's topic for the rows attached to the lamp."""
    rows: Any
    """All products: a QuerySet, or the manager."""
    told: Told

    def tagged(self) -> Any:
        """Add the tag to the lamp; return the through row."""
        self.lamp.tags.add(self.tag)
        self.told.records()
        return Product.tags.through.objects.get()

    def stuck(self) -> Tag:
        """Attach the tag to the lamp by the generic relation; return it."""
        self.lamp.stuck.add(self.tag)
        self.told.records()
        return self.tag


Call = Callable[..., Any]
Case = Callable[[World, Call], set[str]]

BY_ME = ("shelf:1", "maker:me")


def updated(world: World) -> set[str]:
    """Return the lines of the lamp's change of maker."""
    return moved(world.lamp, ["maker:me"], ["maker:you"], ["shelf:1"])


def made(*topics: str) -> set[str]:
    """Return the lines of the created product 7."""
    return lines((Product, 7), "entered", *topics)


# Model


def save(world: World, call: Call) -> set[str]:
    world.lamp.maker = "you"
    call(world.lamp)
    return updated(world)


def delete(world: World, call: Call) -> set[str]:
    call(world.lamp)
    return lines((Product, 1), "left", *BY_ME)


# QuerySet and Manager: `world.rows` is either


def create(world: World, call: Call) -> set[str]:
    call(world.rows, pk=7, maker="x")
    return made("maker:x")


def bulk_create(world: World, call: Call) -> set[str]:
    call(world.rows, [Product(pk=7, maker="x"), Product(pk=8)])
    return made("maker:x") | lines((Product, 8), "entered")


def bulk_update(world: World, call: Call) -> set[str]:
    world.lamp.maker = "you"
    call(world.rows, [world.lamp], ["maker"])
    return updated(world)


def get_or_create(world: World, call: Call) -> set[str]:
    call(world.rows, pk=7, defaults={"maker": "x"})
    return made("maker:x")


def update_or_create(world: World, call: Call) -> set[str]:
    call(world.rows, pk=1, defaults={"maker": "you"})
    return updated(world)


def update(world: World, call: Call) -> set[str]:
    call(world.rows, maker="you")
    return updated(world)


def delete_rows(world: World, call: Call) -> set[str]:
    call(world.rows)
    return lines((Product, 1), "left", *BY_ME)


# The products of a shelf: the many side of a foreign key


def reverse_add(world: World, call: Call) -> set[str]:
    call(world.shelves[1].products, world.lamp)
    return moved(world.lamp, ["shelf:1"], ["shelf:2"], ["maker:me"])


def reverse_remove(world: World, call: Call) -> set[str]:
    call(world.shelves[0].products, world.lamp)
    return moved(world.lamp, ["shelf:1"], [], ["maker:me"])


def reverse_clear(world: World, call: Call) -> set[str]:
    call(world.shelves[0].products)
    return moved(world.lamp, ["shelf:1"], [], ["maker:me"])


def reverse_set(world: World, call: Call) -> set[str]:
    bed = Product.objects.create(pk=2, shelf=world.shelves[1])
    world.told.records()
    call(world.shelves[1].products, [world.lamp])
    came = moved(world.lamp, ["shelf:1"], ["shelf:2"], ["maker:me"])
    return came | moved(bed, ["shelf:2"], [])


def reverse_create(world: World, call: Call) -> set[str]:
    call(world.shelves[1].products, pk=7)
    return made("shelf:2")


def reverse_update_or_create(world: World, call: Call) -> set[str]:
    call(world.shelves[0].products, pk=1, defaults={"maker": "you"})
    return updated(world)


# The tags of a product, and the products of a tag: rows of the through table


def ends(world: World, tag: Tag | None = None, product: int = 1) -> set[str]:
    """Return the lines of the rows at both ends of a through row."""
    pk = (tag or world.tag).pk
    return {
        f"object:shop.product/{product} shop.product {product} updated",
        f"object:shop.tag/{pk} shop.tag {pk} updated",
    }


def many_add(world: World, call: Call) -> set[str]:
    call(world.lamp.tags, world.tag)
    return ends(world) | lines(Product.tags.through.objects.get(), "entered")


def many_remove(world: World, call: Call) -> set[str]:
    row = world.tagged()
    call(world.lamp.tags, world.tag)
    return ends(world) | lines(row, "left")


def many_clear(world: World, call: Call) -> set[str]:
    row = world.tagged()
    call(world.lamp.tags)
    return ends(world) | lines(row, "left")


def many_set(world: World, call: Call) -> set[str]:
    row, other = world.tagged(), Tag.objects.create(name="other")
    world.told.records()
    call(world.lamp.tags, [other])
    left = ends(world) | lines(row, "left")
    return left | ends(world, other) | lines(Product.tags.through.objects.get(), "entered")


def many_create(world: World, call: Call) -> set[str]:
    # Created in one transaction and added to the relation in another.
    call(world.lamp.tags, name="new")
    row, tag = Product.tags.through.objects.get(), Tag.objects.get(name="new")
    return ends(world, tag) | lines(row, "entered") | lines(tag, "entered")


def many_update_or_create(world: World, call: Call) -> set[str]:
    world.tagged()
    call(world.lamp.tags, name="x", defaults={"name": "y"})
    return lines(world.tag, "updated")


def products_add(world: World, call: Call) -> set[str]:
    call(world.tag.products, world.lamp)
    return ends(world) | lines(Product.tags.through.objects.get(), "entered")


def products_remove(world: World, call: Call) -> set[str]:
    row = world.tagged()
    call(world.tag.products, world.lamp)
    return ends(world) | lines(row, "left")


def products_clear(world: World, call: Call) -> set[str]:
    row = world.tagged()
    call(world.tag.products)
    return ends(world) | lines(row, "left")


def products_set(world: World, call: Call) -> set[str]:
    call(world.tag.products, [world.lamp])
    return ends(world) | lines(Product.tags.through.objects.get(), "entered")


def products_create(world: World, call: Call) -> set[str]:
    call(world.tag.products, pk=7, maker="x")
    row = Product.tags.through.objects.get()
    return made("maker:x") | lines(row, "entered") | ends(world, product=7)


def products_update_or_create(world: World, call: Call) -> set[str]:
    world.tagged()
    call(world.tag.products, pk=1, defaults={"maker": "you"})
    return updated(world)


# The generic relation of a product: the columns are the tag's


def generic_add(world: World, call: Call) -> set[str]:
    call(world.lamp.stuck, world.tag)
    return moved(world.tag, [], [world.about])


def generic_remove(world: World, call: Call) -> set[str]:
    pk = world.stuck().pk
    call(world.lamp.stuck, world.tag)
    return lines((Tag, pk), "left", world.about)


def generic_clear(world: World, call: Call) -> set[str]:
    pk = world.stuck().pk
    call(world.lamp.stuck)
    return lines((Tag, pk), "left", world.about)


def generic_set(world: World, call: Call) -> set[str]:
    pk, other = world.stuck().pk, Tag.objects.create(name="other")
    world.told.records()
    call(world.lamp.stuck, [other])
    return lines((Tag, pk), "left", world.about) | moved(other, [], [world.about])


def generic_create(world: World, call: Call) -> set[str]:
    # Far from the database's own keys, one of which the tag has.
    call(world.lamp.stuck, pk=70_007, name="new")
    return lines((Tag, 70_007), "entered", world.about)


def generic_update_or_create(world: World, call: Call) -> set[str]:
    tag = world.stuck()
    call(world.lamp.stuck, pk=tag.pk, defaults={"name": "y"})
    return lines(tag, "updated", world.about)


# The methods that Django adds to a model that others are ordered by


def set_order(world: World, call: Call) -> set[str]:
    day = dt.date(2020, 1, 31)
    first, second = (Sign.objects.create(pk=pk, shelf_id=1, since=day) for pk in (1, 2))
    world.told.records()
    call(world.shelves[0], [second.pk, first.pk])
    return moved(first, ["sign:1/0"], ["sign:1/1"]) | moved(second, ["sign:1/1"], ["sign:1/0"])


WRITES: dict[str, dict[str, Case]] = {
    "Model": {"save": save, "save_base": save, "delete": delete},
    "QuerySet": {
        "create": create,
        "bulk_create": bulk_create,
        "bulk_update": bulk_update,
        "get_or_create": get_or_create,
        "update_or_create": update_or_create,
        "update": update,
        "delete": delete_rows,
    },
    "Manager": {},
    "reverse": {
        "add": reverse_add,
        "remove": reverse_remove,
        "clear": reverse_clear,
        "set": reverse_set,
        "create": reverse_create,
        "get_or_create": reverse_create,
        "update_or_create": reverse_update_or_create,
    },
    "many": {
        "add": many_add,
        "remove": many_remove,
        "clear": many_clear,
        "set": many_set,
        "set_base": many_set,
        "create": many_create,
        "get_or_create": many_create,
        "update_or_create": many_update_or_create,
    },
    "many, reverse": {
        "add": products_add,
        "remove": products_remove,
        "clear": products_clear,
        "set": products_set,
        "set_base": products_set,
        "create": products_create,
        "get_or_create": products_create,
        "update_or_create": products_update_or_create,
    },
    "generic": {
        "add": generic_add,
        "remove": generic_remove,
        "clear": generic_clear,
        "set": generic_set,
        "create": generic_create,
        "get_or_create": generic_create,
        "update_or_create": generic_update_or_create,
    },
    "in order": {},
    "orders": {"set_sign_order": set_order},
}
"""By owner and name; the async twin of a method has the method's case."""
