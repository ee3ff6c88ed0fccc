"""Publishing by hand: `invalidate()`."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import override_settings

from invalidation import invalidate
from invalidation.exceptions import NotTracked
from realtime.exceptions import RealtimeError
from tests.invalidation.told import lines, resets
from tests.shop.models import Book, Discounted, Product, Shelf, Stock, Visit

pytestmark = pytest.mark.django_db(transaction=True)


UNORDERED = Product.objects.order_by()


@pytest.fixture
def told(lamp, told):
    """Skip the records of the arranged rows."""
    told.records()
    return told


@pytest.mark.parametrize("topic", ["shelf:1", "shelf:", "object:shop.shelf/", "nobodys:5"])
def test_topic_is_reset(topic, told):
    """A topic, a whole family, or a topic of no model is reset."""
    invalidate(topic)

    assert told() == {f"{topic} reset server"}


@pytest.mark.parametrize("topic", ["", "shelf", ":1", "my shelf:1"])
def test_text_that_is_no_topic_is_refused(topic, told):
    """The error is raised at the call, not at the commit."""
    with pytest.raises((RealtimeError, ValueError)):
        invalidate(topic)

    assert told.records() == []


def test_row_is_told_to_the_topics_that_it_has_in_the_database(lamp, told):
    """Unsaved values of the object do not count."""
    lamp.maker, lamp.shelf_id = "never saved", 2

    invalidate(lamp)

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_row_that_a_manager_hides_is_told(lamp, told):
    """The row is read with the base manager."""
    Product.objects.update(hidden=True)
    told.records()

    invalidate(lamp)

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_proxy_is_told_as_its_model(lamp, told):
    """A proxy's row is published as its concrete model's."""
    invalidate(Discounted.objects.get())

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_row_with_a_composite_key_is_told(told):
    """The key is spelled as JSON."""
    stock = Stock.objects.create(shop_number=1, product="nail")
    told.records()

    invalidate(stock)

    assert told() == lines(stock, "updated", "stock:1/nail")


def test_row_that_is_gone_is_told_under_its_own_topic(told):
    """Its other topics are unknown."""
    invalidate(Product(pk=404, maker="x"))

    assert told() == {"object:shop.product/404 shop.product 404 left"}


@pytest.mark.parametrize(
    "rows",
    [
        lambda: Product.objects.all(),
        lambda: Product.objects.filter(shelf__name="").order_by("maker"),
        lambda: Product.objects.values("name"),
        lambda: Product.objects.only("name").select_related("shelf"),
        lambda: UNORDERED.filter(pk=1).union(UNORDERED.filter(maker="me")),
        lambda: Product.objects.order_by("pk")[:1],
        lambda: Product.objects.filter(shelf__products__maker="me").distinct(),
        lambda: Product.objects.reverse()[:1],
    ],
    ids=["all", "filter", "values", "only", "union", "slice", "distinct", "last"],
)
def test_rows_of_a_queryset_are_told(rows, lamp, told):
    """Every kind of QuerySet that returns rows is accepted."""
    invalidate(rows())

    assert told() == lines(lamp, "updated", "shelf:1", "maker:me")


def test_slice_of_a_queryset_is_its_own_rows(told):
    """A slice keeps its order, which decides on its rows."""
    Product.objects.create(pk=2, maker="z")
    told.records()

    invalidate(Product.objects.order_by("-maker")[:1])

    assert told() == lines((Product, 2), "updated", "maker:z")


def test_empty_queryset_tells_nothing(told):
    """No rows, no record."""
    invalidate(Product.objects.none())
    invalidate(Product.objects.filter(maker="nobody"))

    assert told.records() == []


@override_settings(INVALIDATION={"MAX_ROWS": 2})
def test_rows_over_the_cap_reset_the_model(told):
    """Up to MAX_ROWS rows are published one by one."""
    Shelf.objects.create(pk=11)
    told.records()

    invalidate(Shelf.objects.filter(pk__in=[1, 2]))
    assert told() == lines((Shelf, 1), "updated", "shelf:1") | lines(
        (Shelf, 2), "updated", "shelf:2"
    )

    invalidate(Shelf.objects.all())
    assert told() == resets(Shelf, "shelf:", "inside:")


@pytest.mark.parametrize(
    "what", [lambda: Visit(pk=1), lambda: Visit.objects.all()], ids=["instance", "queryset"]
)
def test_untracked_rows_are_refused_with_what_to_write(what, told):
    """The error names the model and the `track()` call to add."""
    with pytest.raises(NotTracked, match=r"shop\.Visit is not tracked.*track\(Visit"):
        invalidate(what())

    assert told.records() == []


@pytest.mark.parametrize("what", [5, None, ["shelf:1"], Product, Product.objects])
def test_anything_else_is_refused(what, told):
    """The error says which arguments are accepted."""
    with pytest.raises(TypeError, match="expected a topic, an instance or a QuerySet"):
        invalidate(what)


def test_telling_waits_for_the_commit(lamp, told):
    """The message is in the same record as the transaction's other messages."""
    with transaction.atomic():
        invalidate("year:")
        Shelf.objects.create(pk=11)
        assert told.records() == []

    assert told() == {"year: reset server"} | lines((Shelf, 11), "entered", "shelf:11")


def test_rolled_back_invalidation_is_not_told(lamp, told):
    """A rolled-back transaction or savepoint drops the message."""
    with transaction.atomic():
        invalidate("shelf:1")
        transaction.set_rollback(True)
    with transaction.atomic(), transaction.atomic():
        invalidate(lamp)
        transaction.set_rollback(True)

    assert told.records() == []


def test_without_autocommit_it_waits_for_the_commit_too(told):
    """With autocommit off, `commit()` publishes and `rollback()` drops."""
    transaction.set_autocommit(False)
    try:
        invalidate("shelf:1")
        transaction.rollback()
        invalidate("shelf:2")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert told() == {"shelf:2 reset server"}


def test_row_that_is_written_as_well_is_told_once(lamp, told):
    """Both merge into one change, from the first state to the last."""
    with transaction.atomic():
        invalidate(lamp)
        lamp.delete()

    assert told() == lines((Product, 1), "left", "shelf:1", "maker:me")


def test_child_that_is_gone_is_told_with_its_parent(told):
    """Both rows are published as left, to their own topics."""
    invalidate(Book(pk=404))

    assert told() == {
        f"object:shop.{name}/404 shop.{name} 404 left" for name in ("book", "product")
    }


@override_settings(INVALIDATION={"MAX_ROWS": 1})
def test_children_over_the_cap_reset_both_models(told):
    """A multi-table child is a row of both tables."""
    for pk in (5, 6):
        Book.objects.create(pk=pk)
    told.records()

    invalidate(Book.objects.all())

    families = ["shelf:", "origin:", "maker:", "shout:", "price:", "year:"]
    assert told() == resets(Book, "author:") | resets(Product, *families)


def test_child_is_told_with_its_parents_topics(told):
    """A multi-table child is a row of both tables."""
    book = Book.objects.create(pk=5, maker="x", author="eve")
    told.records()

    invalidate(book)

    assert told() == lines(book, "updated", "author:eve") | lines(
        (Product, 5), "updated", "maker:x"
    )


@pytest.mark.parametrize(
    "what",
    [
        lambda: Product.objects.get(pk=5),
        lambda: Product.objects.filter(maker="x"),
        lambda: Discounted.objects.order_by("-pk")[:1],
        lambda: Product.objects.values("name").filter(pk=5),
    ],
    ids=["instance", "filter", "slice of a proxy", "values"],
)
def test_parent_is_told_with_its_childrens_topics(what, lamp, told):
    """Children inherit the parent's columns, so their pages may have changed."""
    book = Book.objects.create(pk=5, maker="x", author="eve")
    Book.objects.create(pk=4, maker="y", author="ada")
    told.records()

    invalidate(what())

    assert told() == lines(book, "updated", "author:eve") | lines(
        (Product, 5), "updated", "maker:x"
    )


@override_settings(INVALIDATION={"MAX_ROWS": 1})
def test_parents_over_the_cap_reset_their_children(told):
    """Above the cap the children are not looked up."""
    Book.objects.create(pk=5)
    Product.objects.create(pk=6)
    told.records()

    invalidate(Product.objects.all())

    families = ["shelf:", "origin:", "maker:", "shout:", "price:", "year:"]
    assert told() == resets(Book, "author:") | resets(Product, *families)
