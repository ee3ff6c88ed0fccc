"""A child's row is inserted alone, as loaddata does, while its parent's row is updated."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from tests.invalidation.capture.at_once import WAIT, another
from tests.invalidation.told import lines
from tests.shop.models import Country, Express, Parcel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture
def parcel(db):
    """Return a parcel to country "a"; country "b" exists too."""
    Country.objects.create(code="b")
    return Parcel.objects.create(country=Country.objects.create(code="a"))


@pytest.fixture
def other():
    """Return a function that runs another on its own connection, until it waits or is done."""
    with another() as start:
        yield start


def move(parcel):
    """Update a column that the child inherits."""
    Parcel.objects.filter(pk=parcel.pk).update(country="b")


def insert_child(parcel):
    """Insert the child's row only."""
    Express(parcel_ptr=parcel, hours=5).save_base(raw=True)


def test_child_inserted_beside_its_parents_update_is_told_by_both(parcel, other, told):
    """The insert waits for no lock of the update; the update reads the child at its commit."""
    told.records()

    with transaction.atomic():
        move(parcel)
        other(lambda: insert_child(parcel)).result(timeout=WAIT)

    made, moved = told.records()
    assert made == lines((Express, parcel.pk), "entered", "hours:5")
    assert lines((Express, parcel.pk), "updated", "hours:5") < moved


def test_child_committed_after_its_parents_update_is_told_after_it(parcel, other, told):
    """The update cannot see the child. The child's own message comes later."""
    told.records()

    with transaction.atomic():
        insert_child(parcel)
        other(lambda: move(parcel)).result(timeout=WAIT)

    moved, made = told.records()
    assert lines(parcel, "updated") < moved
    assert made == lines((Express, parcel.pk), "entered", "hours:5")


def test_update_in_a_snapshot_without_the_child_works_as_untracked(parcel, other, told):
    """Neither transaction fails because of capture."""
    with transaction.atomic():
        connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert Parcel.objects.count() == 1
        other(lambda: insert_child(parcel)).result(timeout=WAIT)
        move(parcel)

    parcel.refresh_from_db()
    assert parcel.country_id == "b"
