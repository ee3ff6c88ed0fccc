"""Random writes against the database itself as the oracle.

Programs of writes, blocks, savepoints, rollbacks and stale objects run on shelves, products and
books. Before and behind each unit (a transaction, or a lone write) every row's topics are worked
out from the tables by plain SQL. What was told in between must be just the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.invalidation.told import Told
from tests.shop.models import Book, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

Row = tuple[str, int]
Image = tuple[Any, ...]

TABLES: dict[str, tuple[str, Callable[..., list[str]]]] = {
    "shop.shelf": (
        "SELECT id, name, inside_id FROM shop_shelf",
        lambda pk, name, inside: [f"shelf:{pk}", f"inside:{inside}"],
    ),
    "shop.product": (
        "SELECT id, name, shelf_id, maker, hidden FROM shop_product",
        lambda pk, name, shelf, maker, hidden: [
            f"shelf:{shelf}",
            f"maker:{maker}",
            f"shout:{name.upper()}",
        ],
    ),
    "shop.book": (
        "SELECT product_ptr_id, author FROM shop_book",
        lambda pk, author: [f"author:{author}"],
    ),
}


class Undone(Exception):
    """Ends a block that is to be rolled back."""


def rows_now() -> dict[Row, Image]:
    """Return every row as the tables have it."""
    rows = {}
    with connection.cursor() as cursor:
        for label, (query, _) in TABLES.items():
            cursor.execute(query)
            rows |= {(label, image[0]): image for image in cursor.fetchall()}
    return rows


def topics_of(row: Row, image: Image | None) -> set[str]:
    """Work out what a row belongs to, without the product's help."""
    if image is None:
        return set()
    label, pk = row
    topics = TABLES[label][1](*image)
    own = {f"model:{label}", f"object:{label}/{pk}"}
    return own | {topic for topic in topics if not topic.endswith((":", ":None"))}


def expected_of(row: Row, before: Image | None, after: Image | None) -> set[str]:
    """Spell what must be told of a row that was written."""
    did, does = topics_of(row, before), topics_of(row, after)
    verbs = dict.fromkeys(did & does, "updated")
    verbs |= dict.fromkeys(did - does, "left") | dict.fromkeys(does - did, "entered")
    return {f"{topic} {row[0]} {row[1]} {verb}" for topic, verb in verbs.items()}


class World:
    """Runs steps; keeps the objects that it once saw, which go stale."""

    def __init__(self) -> None:
        self.objects: list[Any] = []

    def pick(self, model: Any, number: int) -> Any:
        """Return a stored row's object, or None."""
        rows = model._base_manager.order_by("pk")
        count = rows.count()
        found = rows[number % count] if count else None
        if found is not None:
            self.objects.append(found)
        return found

    def shelf(self, number: int) -> Shelf | None:
        """Return a shelf, or none for every fourth number."""
        return self.pick(Shelf, number) if number % 4 else None

    def run(self, step: tuple[Any, ...]) -> None:
        """Run one step: its name is a method's."""
        getattr(self, step[0])(*step[1:])

    def run_all(self, steps: list[tuple[Any, ...]]) -> None:
        """Run several."""
        for step in steps:
            self.run(step)

    def create_shelf(self, a: int, b: int, text: str) -> None:
        self.objects.append(Shelf.objects.create(inside=self.shelf(a), name=text))

    def create_product(self, a: int, b: int, text: str) -> None:
        self.objects.append(Product.objects.create(shelf=self.shelf(a), maker=text, hidden=b % 2))

    def create_book(self, a: int, b: int, text: str) -> None:
        self.objects.append(Book.objects.create(shelf=self.shelf(a), name=text, author=text))

    def create_many(self, a: int, b: int, text: str) -> None:
        many = [Product(shelf=self.shelf(a + i), maker=text) for i in range(b % 4)]
        Product.objects.bulk_create(many, batch_size=2)

    def save(self, a: int, b: int, text: str) -> None:
        if product := self.pick(Product, a):
            product.shelf, product.maker = self.shelf(b), text
            product.save()

    def save_stale(self, a: int, b: int, text: str) -> None:
        if self.objects:
            stale = self.objects[a % len(self.objects)]
            if stale.pk is not None:
                stale.name = text
                stale.save()

    def save_some(self, a: int, b: int, text: str) -> None:
        if book := self.pick(Book, a):
            book.maker, book.author, book.hidden = text, text, b % 2
            book.save(update_fields=[["maker"], ["author"], ["hidden", "author"]][b % 3])

    def update(self, a: int, b: int, text: str) -> None:
        Product._base_manager.filter(shelf__name=text).update(shelf=self.shelf(a))

    def update_by_itself(self, a: int, b: int, text: str) -> None:
        rows = Product._base_manager.filter(maker=text)
        rows.update(maker=Concat(F("maker"), Value("c")), name=F("maker"))

    def update_books(self, a: int, b: int, text: str) -> None:
        Book._base_manager.exclude(author=text).update(author=F("author"), maker=text)

    def update_by_chance(self, a: int, b: int, text: str) -> None:
        some = Shelf.objects.order_by("?").values("pk")[: b % 3]
        Shelf.objects.filter(pk__in=some).update(name=text, inside=self.shelf(a))

    def update_many(self, a: int, b: int, text: str) -> None:
        many = list(Product._base_manager.all()[: b % 5])
        for product in many:
            product.shelf = self.shelf(a)
        Product._base_manager.bulk_update(many, ["shelf"])

    def update_or_create(self, a: int, b: int, text: str) -> None:
        Shelf.objects.update_or_create(pk=a + 1, defaults={"name": text, "inside": self.shelf(b)})

    def delete(self, a: int, b: int, text: str) -> None:
        if row := self.pick([Shelf, Product, Book][b % 3], a):
            row.delete()

    def delete_many(self, a: int, b: int, text: str) -> None:
        Product._base_manager.filter(maker=text).delete()

    def refused(self, a: int, b: int, text: str) -> None:
        if shelf := self.pick(Shelf, a):
            with pytest.raises(IntegrityError), transaction.atomic():
                Shelf(pk=shelf.pk).save(force_insert=True)

    def block(self, ending: str, steps: list[tuple[Any, ...]]) -> None:
        """Run steps in a block of their own."""
        try:
            with transaction.atomic(savepoint=ending != "joined"):
                self.run_all(steps)
                transaction.set_rollback(ending == "set_rollback")
                if ending == "raises":
                    raise Undone
        except Undone:
            pass

    def savepoint(self, ending: str, steps: list[tuple[Any, ...]]) -> None:
        """Run steps behind a manual savepoint."""
        savepoint = connection.savepoint()
        self.run_all(steps)
        if ending in ("raises", "set_rollback"):
            transaction.savepoint_rollback(savepoint)
        elif ending == "kept":
            transaction.savepoint_commit(savepoint)

    def by_hand(self, ending: str, steps: list[tuple[Any, ...]]) -> None:
        """Run steps with autocommit off."""
        transaction.set_autocommit(False)
        try:
            # Begins the transaction. A block that did would commit it, too: see the tests of that.
            Shelf.objects.filter(pk=0).update(name="")
            self.run_all(steps)
            if ending in ("raises", "set_rollback"):
                transaction.rollback()
            elif ending == "kept" or connection.vendor == "postgresql":
                # On SQLite turning autocommit on commits, too.
                transaction.commit()
        except IntegrityError:
            transaction.rollback()
            raise
        finally:
            transaction.set_autocommit(True)


def small(number: int = 7) -> st.SearchStrategy[int]:
    """Return numbers that pick a row."""
    return st.integers(0, number)


WRITES = st.tuples(
    st.sampled_from(
        [
            *("create_shelf", "create_product", "create_book", "create_many"),
            *("save", "save_stale", "save_stale", "save_some"),
            *("update", "update_by_itself", "update_books", "update_by_chance", "update_many"),
            *("update_or_create", "delete", "delete_many", "refused"),
        ]
    ),
    small(),
    small(),
    st.sampled_from(["", "a", "b"]),
)
ENDINGS = st.sampled_from(["kept", "kept", "joined", "raises", "set_rollback"])


def within(kinds: list[str], steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return steps that hold other steps."""
    return st.tuples(st.sampled_from(kinds), ENDINGS, st.lists(steps, max_size=4))


STEPS = WRITES | within(["block", "savepoint"], WRITES | within(["block", "savepoint"], WRITES))
UNITS = st.lists(WRITES | within(["block"], STEPS) | within(["by_hand"], STEPS), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(UNITS)
def test_what_is_told_is_what_was_committed(told, units):
    """No false negative, nothing needless, no reset; one record a transaction."""
    Shelf.objects.all().delete()
    Product._base_manager.all().delete()
    Shelf.objects.bulk_create([Shelf(pk=1, name="a"), Shelf(pk=2, name="b")])
    world, told = World(), Told()

    for unit in units:
        before = rows_now()
        try:
            world.run(unit)
        except IntegrityError:
            # A stale object came back to a shelf that is gone: the commit is refused.
            assert rows_now() == before
        check(told(), before, rows_now())


def check(found: set[str], before: dict[Row, Image], after: dict[Row, Image]) -> None:
    """Compare what was told with what became of the rows."""
    must, may = set(), set()
    for row in before | after:
        was, is_now = before.get(row), after.get(row)
        may |= expected_of(row, was, is_now)
        if was != is_now:
            must |= expected_of(row, was, is_now)
    # A row that was written as it was is told as well, and is not needless.
    assert must <= found <= may
