"""Transactions above MAX_TRANSACTION_ROWS: topics or families are reset in place of rows."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test import override_settings

from invalidation import invalidate
from invalidation.transactions.journal import Journal, journal_of
from tests.invalidation.told import lines, resets
from tests.shop.models import Book, Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

FAMILIES = ["shelf:", "origin:", "maker:", "shout:", "price:", "year:"]
OF_PRODUCTS = {"model:shop.product reset bulk", "object:shop.product/ reset bulk"}
OF_SHELVES = {"model:shop.shelf reset bulk", "object:shop.shelf/ reset bulk"}


def caps(rows, topics=100):
    """Set the limits of rows in a transaction and of topics."""
    return override_settings(INVALIDATION={"MAX_TRANSACTION_ROWS": rows, "MAX_TOPICS": topics})


def make(first, last, **values):
    """Create products one by one."""
    for pk in range(first, last + 1):
        Product.objects.create(pk=pk, **values)


@caps(5)
def test_transaction_up_to_the_cap_is_told_row_by_row(told):
    """The cap itself is allowed."""
    with transaction.atomic():
        make(11, 15, maker="x")

    made = (lines((Product, pk), "entered", "maker:x") for pk in range(11, 16))
    assert told() == set().union(*made)


@caps(5)
def test_transaction_over_the_cap_resets_the_topics_of_its_rows(lamp, told):
    """Clients of other topics do not reload; the object family stands for single rows' topics."""
    with transaction.atomic():
        make(11, 15, maker="x")
        lamp.maker = "you"
        lamp.save()

    topics = {f"{topic} reset bulk" for topic in ("maker:x", "maker:me", "maker:you", "shelf:1")}
    assert told() == OF_PRODUCTS | topics


@caps(5)
def test_rows_behind_the_cap_are_told_as_before(told):
    """Rows after a collapse are kept as rows, until the cap is exceeded again."""
    with transaction.atomic():
        make(11, 16, maker="x")
        Shelf.objects.create(pk=11)

    shelf = lines((Shelf, 11), "entered", "shelf:11")
    assert told() == OF_PRODUCTS | {"maker:x reset bulk"} | shelf


@caps(5, topics=3)
def test_transaction_of_too_many_topics_resets_the_families(told):
    """The list of topics would need as much memory as the rows."""
    with transaction.atomic():
        for pk in range(11, 17):
            Product.objects.create(pk=pk, maker=str(pk))
        Shelf.objects.create(pk=11)

    product = resets(Product, *FAMILIES)
    assert told() == product | lines((Shelf, 11), "entered", "shelf:11")


@caps(5)
def test_each_model_has_topics_of_its_own(told):
    """Models with few rows are reset in their own topics only."""
    with transaction.atomic():
        Shelf.objects.create(pk=11)
        make(11, 15, maker="x")

    assert told() == OF_PRODUCTS | OF_SHELVES | {"maker:x reset bulk", "shelf:11 reset bulk"}


@caps(5)
def test_messages_by_hand_are_kept(told):
    """A message of `invalidate()` is not collapsed."""
    with transaction.atomic():
        invalidate("year:2020")
        make(11, 15, maker="x")

    assert told() == OF_PRODUCTS | {"maker:x reset bulk", "year:2020 reset server"}


@caps(5)
@pytest.mark.parametrize("undo", ["block", "savepoint"])
def test_rollback_over_the_cap_loses_nothing(undo, told):
    """Changes before the savepoint are published, as resets; changes after it too."""
    with transaction.atomic():
        make(11, 12, maker="before")
        if undo == "block":
            with transaction.atomic():
                make(21, 29, maker="undone")
                transaction.set_rollback(True)
        else:
            savepoint = connection.savepoint()
            make(21, 29, maker="undone")
            transaction.savepoint_rollback(savepoint)
        make(31, 32, maker="after")

    found = told()
    assert OF_PRODUCTS | {"maker:before reset bulk"} <= found
    assert set().union(*(lines((Product, pk), "entered", "maker:after") for pk in (31, 32))) <= {
        *found
    }
    assert set(Product.objects.exclude(pk=1).values_list("pk", flat=True)) == {11, 12, 31, 32}


@caps(5)
def test_rollback_to_before_the_first_row_may_tell_needlessly(told):
    """A collapsed journal does not know its rows: a needless reset, never a missing one."""
    with transaction.atomic():
        with transaction.atomic():
            make(21, 29, maker="undone")
            transaction.set_rollback(True)
        Shelf.objects.create(pk=11)

    assert lines((Shelf, 11), "entered", "shelf:11") <= told()


@caps(5)
def test_rollback_of_all_tells_nothing(told):
    """A rolled-back transaction has no resets."""
    with transaction.atomic():
        make(11, 29, maker="x")
        transaction.set_rollback(True)

    assert told.records() == []


@caps(20, topics=30)
def test_long_transaction_costs_bounded_memory(told):
    """The number of rows and of topics does not matter."""
    longest = 0
    with transaction.atomic():
        for pk in range(100, 400):
            Shelf.objects.create(pk=pk)
            longest = max(longest, len(journal_of(connection).entries()))

    assert longest <= 20 + 1
    assert told() >= resets(Shelf, "shelf:", "inside:")


@caps(5)
def test_messages_by_hand_do_not_collapse_the_journal_at_every_write(told, monkeypatch):
    """Messages by hand do not count as rows, so they do not cause a collapse at each write."""
    collapses, collapse = [], Journal._collapse
    monkeypatch.setattr(
        Journal, "_collapse", lambda journal: (collapses.append(1), collapse(journal))
    )

    with transaction.atomic():
        for number in range(60):
            invalidate(f"year:{number}")

    assert len(collapses) <= 60 / 5
    assert told() == {f"year:{number} reset server" for number in range(60)}


@caps(2)
def test_long_transaction_of_many_models_costs_bounded_memory(told):
    """One entry a model remains, and further rows are counted from there."""
    longest = 0
    with transaction.atomic():
        for pk in range(100, 130):
            Book.objects.create(pk=pk, author="eve")
            Shelf.objects.create(pk=pk)
            longest = max(longest, len(journal_of(connection).entries()))

    assert longest <= 2 + 3
    assert resets(Book) | {"author:eve reset bulk"} <= told()
