"""Deletes, and the changes that follow from them."""

from __future__ import annotations

import pytest
from django.db.models import ProtectedError
from django.db.models.signals import post_delete

from tests.invalidation.told import lines, moved
from tests.shop.models import Book, Country, Express, Parcel, Product, Shelf, Stock

pytestmark = pytest.mark.django_db(transaction=True)


def test_deleted_object_leaves_its_topics(lamp, told):
    """The topics are those of the database's row, not the object's."""
    lamp.maker = "never saved"

    lamp.delete()

    assert told() == lines((Product, 1), "left", "shelf:1", "maker:me")


def test_deleted_queryset_leaves_its_topics(lamp, told):
    """Each row leaves its topics."""
    Product.objects.create(pk=2)
    told.records()

    Product.objects.filter(pk__in=[1, 2]).delete()

    first = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert told() == first | lines((Product, 2), "left")


def test_cascade_is_told_with_its_cause(shelves, lamp, told):
    """Deleting a shelf deletes its shelves and their products, in one record."""
    inner = Shelf.objects.create(pk=3, inside=shelves[0])
    Product.objects.create(pk=2, shelf=inner)
    told.records()

    shelves[0].delete()

    assert told() == (
        lines((Shelf, 1), "left", "shelf:1")
        | lines((Shelf, 3), "left", "shelf:3", "inside:1")
        | lines((Product, 1), "left", "shelf:1", "maker:me")
        | lines((Product, 2), "left", "shelf:3")
    )


def test_cascade_takes_rows_that_a_manager_hides(shelves, lamp, told):
    """Hidden rows are deleted too, and published."""
    Product.objects.update(hidden=True)
    told.records()

    shelves[0].delete()

    product = lines((Product, 1), "left", "shelf:1", "maker:me")
    assert told() == product | lines((Shelf, 1), "left", "shelf:1")


def test_rows_that_lose_their_relation_are_told(lamp, told):
    """SET_NULL is an update: the row leaves the relation's topic."""
    country = Country.objects.create(code="no", name="x")
    Product.objects.update(origin=country)
    told.records()

    country.delete()

    left = lines((Country, "no"), "left", "country:no", "named:x")
    assert told() == left | moved(lamp, ["origin:no"], [], ["shelf:1", "maker:me"])


def test_fast_delete_and_slow_delete_tell_the_same(lamp, told):
    """A receiver of a delete signal makes Django fetch the rows first; the record is the same."""

    def receiver(**_):
        pass

    post_delete.connect(receiver, sender=Product)
    try:
        Product.objects.all().delete()
    finally:
        post_delete.disconnect(receiver, sender=Product)

    assert told() == lines((Product, 1), "left", "shelf:1", "maker:me")


def test_protected_row_is_not_told(told):
    """A refused delete publishes nothing."""
    country = Country.objects.create(code="no")
    Parcel.objects.create(country=country)
    told.records()

    with pytest.raises(ProtectedError):
        country.delete()

    assert told.records() == []


def test_deleted_child_is_told_in_both_its_tables(told):
    """The child's row and the parent's row have left."""
    Book.objects.create(pk=5, maker="x", author="eve")
    told.records()

    Book.objects.get().delete()

    child = lines((Book, 5), "left", "author:eve")
    assert told() == child | lines((Product, 5), "left", "maker:x")


def test_deleted_parent_is_told_with_its_child(told):
    """Deleting the parent cascades to the child."""
    express = Express.objects.create(hours=3)
    told.records()

    Parcel.objects.all().delete()

    child = lines((Express, express.pk), "left", "hours:3")
    assert told() == child | lines((Parcel, express.pk), "left")


def test_child_deleted_alone_leaves_its_parent(told):
    """`keep_parents` deletes the child's row only."""
    book = Book.objects.create(pk=5, author="eve")
    told.records()

    book.delete(keep_parents=True)

    assert told() == lines((Book, 5), "left", "author:eve")


def test_row_with_a_composite_key_is_told(shelves, told):
    """Both when its shelf is set to null and when it is deleted."""
    stock = Stock.objects.create(shop_number=1, product="x", shelf=shelves[1])
    told.records()

    shelves[1].delete()
    shelf = lines((Shelf, 2), "left", "shelf:2")
    assert told() == shelf | moved(stock, ["stocked:2"], [], ["stock:1/x"])

    stock.delete()
    assert told() == lines((Stock, (1, "x")), "left", "stock:1/x")


def test_row_that_comes_and_goes_is_not_told(told):
    """A row that lived within one transaction was never visible."""
    from django.db import transaction

    with transaction.atomic():
        Product.objects.create(maker="x").delete()

    assert told.records() == []


def test_row_that_goes_and_comes_is_told_as_updated(lamp, told):
    """Deleted and created under the same key in one transaction is a change to clients."""
    from django.db import transaction

    with transaction.atomic():
        lamp.delete()
        Product.objects.create(pk=1, maker="me")

    assert told() == moved(Product(pk=1), ["shelf:1"], [], ["maker:me"])
