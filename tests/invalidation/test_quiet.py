"""Writing without row messages: `quiet()`."""

from __future__ import annotations

from threading import Thread

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from invalidation import invalidate, quiet
from tests.invalidation.told import lines, resets
from tests.shop.models import Book, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

SHELVES = resets(Shelf, "shelf:", "inside:")
FAMILIES = ["shelf:", "origin:", "maker:", "shout:", "price:", "year:"]
PRODUCTS = resets(Product, *FAMILIES) | resets(Book, "author:")


@pytest.fixture
def told(lamp, told):
    """Skip the records of the arranged rows."""
    told.records()
    return told


def test_quiet_writes_reset_the_families_concerned(told):
    """A child's families are reset with its parent's, whose columns it inherits."""
    with quiet():
        Product.objects.update(maker="x")

    assert told() == PRODUCTS


def test_quiet_writes_are_told_once_a_transaction(told):
    """Any number of writes cause one reset of each family."""
    with transaction.atomic(), quiet():
        Shelf.objects.create(pk=11)
        Shelf.objects.bulk_create([Shelf(pk=12), Shelf(pk=13)])
        Shelf.objects.filter(pk=11)._raw_delete("default")

    assert told() == SHELVES


def test_quiet_writes_outside_a_transaction_are_told_one_by_one(told):
    """Each write commits at once, so its reset is sent at once."""
    with quiet():
        Shelf.objects.create(pk=11)
        assert told() == SHELVES
        Shelf.objects.create(pk=12)
        assert told() == SHELVES


def test_quiet_writes_read_nothing(told):
    """A quiet write is one statement."""
    with transaction.atomic(), quiet(), CaptureQueriesContext(connection) as queries:
        Product.objects.update(maker="x")
        Product.objects.filter(pk=1)._raw_delete("default")

    assert [query["sql"].split()[0] for query in queries] == ["UPDATE", "DELETE"]


def test_quiet_writes_return_what_django_returns(told):
    """Counts and keys are Django's."""
    with quiet():
        assert Product.objects.update(maker="x") == 1
        assert Product.objects.create().pk is not None
        assert all(s.pk for s in Shelf.objects.bulk_create([Shelf(), Shelf()]))
        assert Product.objects.filter(maker="x").delete() == (1, {"shop.Product": 1})


def test_quiet_without_reset_tells_nothing(told):
    """`reset=False` publishes nothing at all."""
    with quiet(reset=False):
        Product.objects.update(maker="x")
        Shelf.objects.create(pk=11)

    assert told.records() == []


def test_inner_quiet_block_overrides_the_outer(told):
    """The outer block's mode is back after the inner block."""
    with quiet(reset=False):
        with quiet():
            Shelf.objects.create(pk=11)
        assert told() == SHELVES
        Shelf.objects.create(pk=12)
        assert told.records() == []

    with quiet():
        with quiet(reset=False):
            Shelf.objects.create(pk=13)
        assert told.records() == []
        Shelf.objects.create(pk=14)
    assert told() == SHELVES


def test_quiet_ends_with_its_block(told):
    """An error ends the mode too."""
    with pytest.raises(ZeroDivisionError), quiet(reset=False):
        raise ZeroDivisionError

    shelf = Shelf.objects.create(pk=11)
    assert told() == lines(shelf, "entered", "shelf:11")


def test_quiet_writes_that_are_rolled_back_are_not_told(told):
    """A rolled-back transaction or savepoint drops the resets."""
    with transaction.atomic():
        with transaction.atomic(), quiet():
            Product.objects.update(maker="x")
            transaction.set_rollback(True)
        Shelf.objects.create(pk=11)

    assert told() == lines((Shelf, 11), "entered", "shelf:11")


def test_other_writes_of_the_transaction_are_told_by_row(told):
    """Writes before and after the block publish their rows."""
    with transaction.atomic():
        Shelf.objects.create(pk=11)
        with quiet():
            Product.objects.update(maker="x")
        Shelf.objects.create(pk=12)

    made = [lines((Shelf, pk), "entered", f"shelf:{pk}") for pk in (11, 12)]
    assert told() == PRODUCTS | made[0] | made[1]


def test_other_threads_are_not_quiet(told):
    """The mode holds in the thread of the block only."""

    def write():
        Shelf.objects.create(pk=11)
        connections.close_all()

    with quiet(reset=False):
        thread = Thread(target=write)
        thread.start()
        thread.join()

    assert told() == lines((Shelf, 11), "entered", "shelf:11")


def test_async_writes_are_as_quiet_as_their_task(told):
    """The mode holds in all threads that an async task uses."""

    async def write():
        with quiet():
            await Shelf.objects.acreate(pk=11)
        await Shelf.objects.acreate(pk=12)

    async_to_sync(write)()

    assert told.records() == [SHELVES, lines((Shelf, 12), "entered", "shelf:12")]


def test_invalidate_is_never_quiet(told):
    """`invalidate()` publishes within `quiet(reset=False)` too."""
    with quiet(reset=False):
        Product.objects.update(maker="x")
        invalidate("maker:me")

    assert told() == {"maker:me reset server"}
