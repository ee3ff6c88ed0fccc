"""Many threads that write at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models import F

from tests.invalidation.told import lines
from tests.shop.models import Shelf, Visit

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 10
ROUNDS = 8


@pytest.fixture(
    params=[
        pytest.param("DEFERRED", marks=pytest.mark.sqlite),
        pytest.param("IMMEDIATE", marks=pytest.mark.sqlite),
        pytest.param("as usual", marks=pytest.mark.postgres),
    ]
)
def begin(request, monkeypatch):
    """Set the mode in which connections of new threads begin transactions."""
    if connections["default"].vendor == "sqlite":
        options = connections.settings["default"]["OPTIONS"]
        monkeypatch.setitem(options, "transaction_mode", request.param)


def failures_of(write):
    """Write in many threads at once; return the number of refused transactions."""
    barrier = Barrier(THREADS)

    def work(thread):
        refused = 0
        barrier.wait()
        try:
            for turn in range(ROUNDS):
                try:
                    with transaction.atomic():
                        write(thread, turn)
                except OperationalError as error:
                    assert "locked" in str(error)  # noqa: PT017 -- any other error is one
                    refused += 1
        finally:
            connections["default"].close()
        return refused

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(work, range(THREADS)))


@pytest.mark.usefixtures("begin")
def test_concurrent_updates_are_not_refused_and_all_told(told):
    """Capture takes the write lock before it reads, so each transaction waits for its turn."""
    Visit.objects.create(pk=1, page="")
    Shelf.objects.bulk_create(Shelf(pk=100 + thread) for thread in range(THREADS))
    told.records()

    def update_untracked(thread, turn):
        Visit.objects.filter(pk=1).update(page=f"{thread}.{turn}")

    def update_tracked(thread, turn):
        Shelf.objects.filter(pk=100 + thread).update(name=f"{turn}", inside=F("inside"))

    assert failures_of(update_untracked) == 0
    assert failures_of(update_tracked) == 0

    expected = [lines((Shelf, 100 + t), "updated", f"shelf:{100 + t}") for t in range(THREADS)]
    found = told.records()
    assert len(found) == THREADS * ROUNDS
    assert all(found.count(one) == ROUNDS for one in expected)


@pytest.mark.usefixtures("begin")
def test_concurrent_creating_saving_and_deleting_is_told(told):
    """Each transaction has one record."""

    def write(thread, turn):
        pk = 1_000 + thread * ROUNDS + turn
        shelf = Shelf.objects.create(pk=pk)
        shelf.save()
        Shelf.objects.filter(pk=pk - 1, pk__gt=1_000 + thread * ROUNDS).delete()

    assert failures_of(write) == 0

    found = told.records()
    assert len(found) == THREADS * ROUNDS
    entered = {line for one in found for line in one if line.startswith("shelf:")}
    assert {line for line in entered if line.endswith("entered")} == {
        f"shelf:{1_000 + n} shop.shelf {1_000 + n} entered" for n in range(THREADS * ROUNDS)
    }


@pytest.mark.usefixtures("begin")
def test_contended_rows_are_told_without_a_gap(told):
    """Each record has the row's former and new topic, without a gap between records."""
    Shelf.objects.create(pk=500, inside_id=1)
    told.records()

    def move(thread, turn):
        Shelf.objects.filter(pk=500).update(inside=F("inside") % 2 + 1)

    assert failures_of(move) == 0

    at = 1
    for found in told.records():
        other = 3 - at
        assert f"inside:{at} shop.shelf 500 left" in found
        assert f"inside:{other} shop.shelf 500 entered" in found
        at = other
