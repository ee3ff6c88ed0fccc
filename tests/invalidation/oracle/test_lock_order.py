"""Writers of the same rows wait for each other, whichever index the database uses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connection, connections

from tests.invalidation.oracle.isolation import let_threads_connect
from tests.shop.models import Shelf, Visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

ROWS, THREADS, ROUNDS = 300, 4, 30


def make_backwards(model):
    """Create rows from the highest key to the lowest."""
    model.objects.bulk_create(model(pk=pk) for pk in range(ROWS, 0, -1))


def deadlocks_of(model, column):
    """Update all rows in threads, half of them in the table's order, half in the index's.

    The two orders are opposite. Return the number of deadlocks.
    """
    barrier = Barrier(THREADS)

    def work(thread):
        found = 0
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET enable_{'seqscan' if thread % 2 else 'indexscan'} = off")
                cursor.execute("SET enable_bitmapscan = off")
            barrier.wait()
            for turn in range(ROUNDS):
                try:
                    model.objects.filter(pk__gt=0).update(**{column: f"{thread}.{turn}"})
                except OperationalError as error:
                    assert "deadlock" in str(error)  # noqa: PT017 -- any other error is one
                    found += 1
        finally:
            connections["default"].close()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(work, range(THREADS)))


def test_updates_of_many_rows_do_not_lock_each_other_out(monkeypatch):
    """Untracked updates deadlock: they lock rows in the order in which they find them."""
    let_threads_connect(monkeypatch, "READ_COMMITTED")

    make_backwards(Visit)
    make_backwards(Shelf)

    assert any(deadlocks_of(Visit, "page") for _ in range(10))
    assert deadlocks_of(Shelf, "name") == 0
