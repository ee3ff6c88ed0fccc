"""Publishing within transactions that raw SQL begins and ends, which Django does not know of."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from invalidation import invalidate, quiet
from invalidation.transactions.journal import journal_of
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Product, Shelf

pytestmark = pytest.mark.django_db(transaction=True)


def execute(sql):
    """Run raw SQL."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def begun(told):
    """Begin a transaction by raw SQL; roll back at the end if it is still open."""
    execute("BEGIN")
    yield
    connection.close()


@pytest.mark.usefixtures("begun")
def test_write_is_told_with_the_transaction(lamp, told):
    """Each write stores its record in the transaction, and the COMMIT commits both."""
    Shelf.objects.create(pk=11)
    Product.objects.update(maker="you")
    execute("COMMIT")

    assert told.records() == [
        lines((Shelf, 11), "entered", "shelf:11"),
        moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"]),
    ]


@pytest.mark.usefixtures("begun")
def test_rolled_back_write_is_not_told(told):
    """The ROLLBACK drops the record."""
    Shelf.objects.create(pk=11)
    invalidate("year:")
    with quiet():
        Shelf.objects.create(pk=12)
    execute("ROLLBACK")

    assert told.records() == []
    assert not Shelf.objects.filter(pk__in=[11, 12]).exists()


@pytest.mark.usefixtures("begun")
def test_nothing_is_left_for_the_next_transaction(told):
    """The journal is empty after the transaction, committed or not."""
    Shelf.objects.create(pk=11)
    assert journal_of(connection).entries() == ()
    execute("ROLLBACK")
    with transaction.atomic():
        Shelf.objects.create(pk=12)

    assert told() == lines((Shelf, 12), "entered", "shelf:12")


@pytest.mark.usefixtures("begun")
def test_quiet_and_by_hand_work_as_elsewhere(told):
    """Each write stores its messages at once, since Django does not see the end."""
    with quiet():
        Shelf.objects.create(pk=11)
    invalidate("year:")
    execute("COMMIT")

    assert told.records() == [resets(Shelf, "shelf:", "inside:"), {"year: reset server"}]
