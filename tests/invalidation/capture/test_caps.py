"""What is told of transactions too large to be held in memory: topics or families to reset."""

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
    """Let a transaction hold so many rows, and name so many topics."""
    return override_settings(INVALIDATION={"MAX_TRANSACTION_ROWS": rows, "MAX_TOPICS": topics})


def make(first, last, **values):
    """Make products one by one."""
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
    """They are named, so that nobody else reloads; single rows are spoken for by their family."""
    with transaction.atomic():
        make(11, 15, maker="x")
        lamp.maker = "you"
        lamp.save()

    topics = {f"{topic} reset bulk" for topic in ("maker:x", "maker:me", "maker:you", "shelf:1")}
    assert told() == OF_PRODUCTS | topics


@caps(5)
def test_rows_behind_the_cap_are_told_as_before(told):
    """What is over is over; what follows is followed by row, up to the next time."""
    with transaction.atomic():
        make(11, 16, maker="x")
        Shelf.objects.create(pk=11)

    shelf = lines((Shelf, 11), "entered", "shelf:11")
    assert told() == OF_PRODUCTS | {"maker:x reset bulk"} | shelf


@caps(5, topics=3)
def test_transaction_of_too_many_topics_resets_the_families(told):
    """To name them all would cost what the rows would have."""
    with transaction.atomic():
        for pk in range(11, 17):
            Product.objects.create(pk=pk, maker=str(pk))
        Shelf.objects.create(pk=11)

    product = resets(Product, *FAMILIES)
    assert told() == product | lines((Shelf, 11), "entered", "shelf:11")


@caps(5)
def test_each_model_has_topics_of_its_own(told):
    """One with many rows takes nobody else's along but to their own topics."""
    with transaction.atomic():
        Shelf.objects.create(pk=11)
        make(11, 15, maker="x")

    assert told() == OF_PRODUCTS | OF_SHELVES | {"maker:x reset bulk", "shelf:11 reset bulk"}


@caps(5)
def test_what_was_told_by_hand_stays(told):
    """It is no row."""
    with transaction.atomic():
        invalidate("year:2020")
        make(11, 15, maker="x")

    assert told() == OF_PRODUCTS | {"maker:x reset bulk", "year:2020 reset server"}


@caps(5)
@pytest.mark.parametrize("undo", ["block", "savepoint"])
def test_rollback_over_the_cap_loses_nothing(undo, told):
    """What went before the savepoint is told, if not by row; so is what comes behind it."""
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
    """Which rows a collapsed journal stood for is not known; too much is told, never too little."""
    with transaction.atomic():
        with transaction.atomic():
            make(21, 29, maker="undone")
            transaction.set_rollback(True)
        Shelf.objects.create(pk=11)

    assert lines((Shelf, 11), "entered", "shelf:11") <= told()


@caps(5)
def test_rollback_of_all_tells_nothing(told):
    """A cap makes nothing happen that did not."""
    with transaction.atomic():
        make(11, 29, maker="x")
        transaction.set_rollback(True)

    assert told.records() == []


@caps(20, topics=30)
def test_long_transaction_costs_bounded_memory(told):
    """However many rows it writes, on however many shelves."""
    longest = 0
    with transaction.atomic():
        for pk in range(100, 400):
            Shelf.objects.create(pk=pk)
            longest = max(longest, len(journal_of(connection).entries()))

    assert longest <= 20 + 1
    assert told() >= resets(Shelf, "shelf:", "inside:")


@caps(5)
def test_what_is_told_by_hand_does_not_make_every_write_go_through_it(told, monkeypatch):
    """It stays in the journal, and counts for none of its rows."""
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
    """An entry a model remains, and the cap is counted from there."""
    longest = 0
    with transaction.atomic():
        for pk in range(100, 130):
            Book.objects.create(pk=pk, author="eve")
            Shelf.objects.create(pk=pk)
            longest = max(longest, len(journal_of(connection).entries()))

    assert longest <= 2 + 3
    assert resets(Book) | {"author:eve reset bulk"} <= told()
