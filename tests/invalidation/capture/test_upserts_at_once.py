"""Upserts while other transactions write the same rows, on PostgreSQL."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError, transaction

from invalidation import invalidate
from tests.invalidation.capture.at_once import WAIT, another, uncommitted
from tests.invalidation.capture.tables import run
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Product, Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

FAMILIES = ("shelf:", "inside:")


def upsert(*keys, inside=None, fields=("name", "inside")):
    """Insert shelves, or update those that are there."""
    return Shelf.objects.bulk_create(
        [Shelf(pk=key, name="new", inside_id=inside) for key in keys],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=list(fields),
    )


def test_no_row_is_locked_in_advance(told):
    """A row that waits for its turn is not locked yet, so the other transaction can take it."""
    Shelf.objects.create(pk=40)

    with another() as start:
        with transaction.atomic():
            upsert(50)
            running = start(lambda: upsert(50, 40))  # waits at row 50, and has not locked row 40
            upsert(40)
        running.result(timeout=WAIT)

    assert Shelf.objects.filter(pk__in=[40, 50], name="new").count() == 2


def test_row_that_another_transaction_inserted_meanwhile_is_reset(told):
    """It was updated, and how it was before is unknown."""
    with another() as start:
        with transaction.atomic():
            Shelf.objects.create(pk=50, inside_id=1)
            running = start(lambda: upsert(50, inside=2))
        running.result(timeout=WAIT)

    made, changed = told.records()
    assert made == lines((Shelf, 50), "entered", "shelf:50", "inside:1")
    assert changed == resets(Shelf, *FAMILIES)


def test_row_that_another_transaction_moved_meanwhile_is_reset(told):
    """The version that the statement sees is not the one that it replaces."""
    Shelf.objects.create(pk=50, inside_id=1)
    told.records()

    with another() as start:
        with transaction.atomic():
            Shelf.objects.filter(pk=50).update(inside=2)
            running = start(lambda: upsert(50))
        running.result(timeout=WAIT)

    _, changed = told.records()
    assert changed == resets(Shelf, *FAMILIES)


def test_row_that_another_transaction_deleted_meanwhile_is_entered(told):
    """The statement inserts it anew; the other transaction told where it was."""
    Shelf.objects.create(pk=50, inside_id=1)
    told.records()

    with another() as start:
        with transaction.atomic():
            Shelf.objects.filter(pk=50)._raw_delete("default")
            running = start(lambda: upsert(50, inside=2))
        running.result(timeout=WAIT)

    gone, made = told.records()
    assert gone == lines((Shelf, 50), "left", "shelf:50", "inside:1")
    assert made == lines((Shelf, 50), "entered", "shelf:50", "inside:2")


def test_row_whose_key_another_transaction_holds_is_reset(told):
    """An insert of a child holds its parent's key, which hides who replaced the parent's row."""
    shelf = Shelf.objects.create(pk=50)
    told.records()

    def insert_child():
        Product.objects.create(shelf=shelf)
        run("SET CONSTRAINTS ALL IMMEDIATE")

    with uncommitted(insert_child):
        upsert(50, inside=1, fields=["inside"])
        assert told() == resets(Shelf, *FAMILIES)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("savepoint", [True, False])
def test_rows_of_its_own_transaction_are_told(level, savepoint, told):
    """Whatever the transaction has done to them before, in a block or not."""
    old = Shelf.objects.create(pk=50, inside_id=1)
    told.records()

    with transaction.atomic():
        run(f"SET TRANSACTION ISOLATION LEVEL {level}")
        Shelf.objects.create(pk=51, inside_id=1)
        Shelf.objects.filter(pk=50).update(name="x")
        with transaction.atomic(savepoint=savepoint):
            upsert(50, 51, 52, inside=2)

    expected = moved(old, ["inside:1"], ["inside:2"], ["shelf:50"])
    for key in (51, 52):
        expected |= lines((Shelf, key), "entered", f"shelf:{key}", "inside:2")
    assert told() == expected


def test_row_that_was_only_read_before_is_not_known(told):
    """`invalidate()` locks no row."""
    shelf = Shelf.objects.create(pk=50, inside_id=1)
    told.records()

    with another() as start:
        with transaction.atomic():
            Shelf.objects.filter(pk=50).update(inside=2)
            running = start(lambda: invalidate_and_upsert(shelf))
        running.result(timeout=WAIT)

    _, changed = told.records()
    assert resets(Shelf, *FAMILIES) <= changed


def invalidate_and_upsert(shelf):
    """Publish a row, and then write it."""
    with transaction.atomic():
        invalidate(shelf)
        upsert(shelf.pk)


def test_savepoint_that_was_rolled_back_leaves_the_row_as_it_was(told):
    """The version that the savepoint made was never there."""
    old = Shelf.objects.create(pk=50, inside_id=1)
    told.records()

    with transaction.atomic():
        try:
            with transaction.atomic():
                upsert(50, inside=None)
                raise IntegrityError
        except IntegrityError:
            pass
        upsert(50, inside=2)

    assert told() == moved(old, ["inside:1"], ["inside:2"], ["shelf:50"])


def test_row_that_a_trigger_changes_before_it_is_stored_is_told(told):
    """RETURNING gives it as stored; the version before is the statement's."""
    old = Shelf.objects.create(pk=50, inside_id=1)
    run(
        "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.inside_id = 2; RETURN NEW; END $$",
        "CREATE TRIGGER moves BEFORE UPDATE ON shop_shelf FOR EACH ROW EXECUTE FUNCTION moved()",
    )
    told.records()
    try:
        upsert(50, inside=None)
        assert told() == moved(old, ["inside:1"], ["inside:2"], ["shelf:50"])
    finally:
        run("DROP FUNCTION moved CASCADE")


def test_upsert_in_an_older_snapshot_fails_as_untracked(told):
    """PostgreSQL refuses it; capture adds no other error."""
    Shelf.objects.create(pk=50)

    def upsert_late():
        with transaction.atomic():
            run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1")
            with another() as start:
                change = start(lambda: Shelf.objects.filter(pk=50).update(name="x"))
                change.result(timeout=WAIT)
            upsert(50)

    with pytest.raises(OperationalError, match="could not serialize"):
        upsert_late()
