"""A child's row is inserted alone, as loaddata does, while its parent's row is updated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

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

    def start(write):
        def work():
            try:
                write()
            finally:
                connections["default"].close()

        running = pool.submit(work)
        while not running.done() and not another_connection_waits():
            pass
        return running

    with ThreadPoolExecutor(1) as pool:
        yield start


def another_connection_waits():
    """Return True if another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, whose content stays the same within a transaction.
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def move(parcel):
    """Update a column that the child inherits."""
    Parcel.objects.filter(pk=parcel.pk).update(country="b")


def insert_child(parcel):
    """Insert the child's row only."""
    Express(parcel_ptr=parcel, hours=5).save_base(raw=True)


def test_child_inserted_after_its_parents_update_is_told_after_it(parcel, other, told):
    """The child's message is stored after the update, so clients read the new columns."""
    told.records()

    with transaction.atomic():
        move(parcel)
        running = other(lambda: insert_child(parcel))
    running.result(timeout=30)

    moved, made = told.records()
    assert lines(parcel, "updated") < moved
    assert made == lines((Express, parcel.pk), "entered", "hours:5")


def test_child_inserted_before_its_parents_update_is_told_with_it(parcel, other, told):
    """The update waits for the insert, and finds the child."""
    told.records()

    with transaction.atomic():
        insert_child(parcel)
        running = other(lambda: move(parcel))
    running.result(timeout=30)

    _, moved = told.records()
    assert lines((Express, parcel.pk), "updated", "hours:5") < moved


def test_update_in_a_snapshot_without_the_child_fails(parcel, other, told):
    """The transaction cannot see the child, so its update must fail."""

    def move_in_a_snapshot():
        with transaction.atomic():
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            move(parcel)

    told.records()
    with transaction.atomic():
        insert_child(parcel)
        running = other(move_in_a_snapshot)

    with pytest.raises(OperationalError, match="could not serialize"):
        running.result(timeout=30)
    assert told() == lines((Express, parcel.pk), "entered", "hours:5")
