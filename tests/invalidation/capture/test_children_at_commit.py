"""Multi-table children whose parents' columns are written: read once, at the commit."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext, isolate_apps

from invalidation import invalidate
from invalidation.signals import rows_changed
from invalidation.testing import capture_invalidations
from tests.invalidation.capture.at_once import WAIT, another, uncommitted
from tests.invalidation.capture.raw import undone
from tests.invalidation.capture.tables import run, tracked_as
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Book, Express, Parcel, Product

pytestmark = pytest.mark.django_db(transaction=True)

BOOKS = ("author:",)


@pytest.fixture
def book(db):
    """Return a stored book."""
    return Book.objects.create(pk=5, author="eve")


@pytest.fixture
def told(book, told):
    """Skip the record of the arranged row."""
    told.records()
    return told


def parents():
    """Return the parents' rows, not by the manager that hides some."""
    return Product._base_manager


def selects_of(write, table):
    """Return the SELECTs of a child's table that a write and its commit make."""
    with CaptureQueriesContext(connection) as queries:
        write()
    sql = [query["sql"] for query in queries]
    return [text for text in sql if f'"{table}"' in text and "SELECT" in text]


def test_parents_of_one_transaction_cost_one_select(told):
    """Whatever the number of its writes."""

    def write():
        with transaction.atomic():
            for maker in "abcdef":
                parents().filter(pk=5).update(maker=maker)
                parents().filter(maker=maker).update(hidden=True)

    assert len(selects_of(write, "shop_book")) == 1
    assert told() >= lines((Book, 5), "updated", "author:eve")


def test_child_that_is_saved_costs_no_select(book, told):
    """Its own row is known from its own write."""
    book.maker = "x"

    # The read of its own write.
    assert len(selects_of(book.save, "shop_book")) == 1
    assert told() == lines(book, "updated", "author:eve") | moved(Product(pk=5), [], ["maker:x"])


def reads_of(model, write):
    """Return the number of statements of a write and its commit that read a model's table."""
    with CaptureQueriesContext(connection) as queries:
        write()
    return sum(f'FROM "{model._meta.db_table}"' in query["sql"] for query in queries)


def test_each_table_of_a_long_chain_is_read_once(told):
    """A save of the last descendant writes each table once, and knows all rows."""

    @isolate_apps("tests.shop")
    def chain():
        class First(models.Model):
            box = models.IntegerField(default=1)

            class Meta:
                app_label = "shop"

        class Second(First):
            two = models.IntegerField(default=2)

            class Meta:
                app_label = "shop"

        class Third(Second):
            three = models.IntegerField(default=3)

            class Meta:
                app_label = "shop"

        class Fourth(Third):
            four = models.IntegerField(default=4)

            class Meta:
                app_label = "shop"

        return First, Second, Third, Fourth

    classes = chain()
    with connection.schema_editor() as editor:
        for model in classes:
            editor.create_model(model)
    try:
        with (
            tracked_as(classes[0], "box:{box}"),
            tracked_as(classes[1], "two:{two}"),
            tracked_as(classes[2], "three:{three}"),
            tracked_as(classes[3], "four:{four}"),
        ):
            row = classes[3].objects.create(pk=1)
            told.records()
            row.box = 7

            # The read of its own write.
            assert [reads_of(model, row.save) for model in classes] == [1, 1, 1, 1]
            assert lines((classes[3], 1), "updated", "four:4") <= set().union(*told.records())

            first = classes[0].objects.filter(pk=1)
            assert [reads_of(model, lambda: first.update(box=8)) for model in classes] == [1] * 4
            assert lines((classes[2], 1), "updated", "three:3") <= set().union(*told.records())
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(classes):
                editor.delete_model(model)


def test_rolled_back_parent_tells_no_child(told):
    """The savepoint takes the note back."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                parents().filter(pk=5).update(maker="x")
                raise IntegrityError
        except IntegrityError:
            pass
        Product.objects.create(pk=6)

    assert told() == lines((Product, 6), "entered")


def test_child_that_is_deleted_later_is_told_as_left(book, told):
    """At the commit there is no row to read."""
    with transaction.atomic():
        parents().filter(pk=5).update(maker="x")
        book.delete()

    assert told() == lines((Book, 5), "left", "author:eve") | lines((Product, 5), "left")


def test_child_that_moves_later_is_told_with_both_topics(told):
    """The parent's write does not hide where the child was."""
    with transaction.atomic():
        parents().filter(pk=5).update(maker="x")
        Book.objects.filter(pk=5).update(author="ada")

    child = moved(Book(pk=5), ["author:eve"], ["author:ada"])
    assert told() == child | moved(Product(pk=5), [], ["maker:x"])


def test_columns_written_by_both_are_known_together(told):
    """A receiver of `rows_changed` sees the columns of parent and child."""
    seen = {}

    def receive(sender, changes, **_):
        seen[sender] = changes[0].written

    rows_changed.connect(receive, sender=Book)
    try:
        with transaction.atomic():
            Book.objects.filter(pk=5).update(author="ada")
            parents().filter(pk=5).update(maker="x")
        assert seen[Book] == {"author", "maker"}
        parents().filter(pk=5).update(hidden=True)
        assert seen[Book] == {"hidden"}
    finally:
        rows_changed.disconnect(receive, sender=Book)


def test_testing_kit_tells_children_without_a_commit(told):
    """A `TestCase` never commits."""
    with undone(), capture_invalidations() as captured:
        parents().filter(pk=5).update(maker="x")
    assert "author:eve" in captured.topics


@override_settings(INVALIDATION={"MAX_TRANSACTION_ROWS": 4})
def test_many_parents_are_bounded(told):
    """Up to the limit the children are still read; above it their families are reset."""
    Product.objects.bulk_create(Product(pk=pk) for pk in range(10, 14))
    told.records()

    with transaction.atomic():
        for pk in (5, 10, 11, 12):
            parents().filter(pk=pk).update(maker="x")
    assert "author:eve shop.book 5 updated" in told()

    with transaction.atomic():
        for pk in (5, 10, 11, 12, 13):
            parents().filter(pk=pk).update(maker=f"{pk}")
    assert told() >= resets(Book, *BOOKS)


@pytest.mark.postgres
def test_parents_write_does_not_lock_its_child(told):
    """Another transaction writes the child meanwhile, and does not wait."""
    with another() as start, transaction.atomic():
        parents().filter(pk=5).update(maker="x")
        move = start(lambda: Book.objects.filter(pk=5).update(author="ada"))
        assert move.done()
    move.result(timeout=WAIT)

    moves, parent = told.records()
    assert moves == moved(Book(pk=5), ["author:eve"], ["author:ada"])
    assert lines((Book, 5), "updated", "author:ada") <= parent


@pytest.mark.postgres
def test_child_that_was_only_read_before_is_read_again(book, told):
    """`invalidate()` locks no row, so it may have moved since."""
    with another() as start, transaction.atomic():
        invalidate(book)
        parents().filter(pk=5).update(maker="x")
        start(lambda: Book.objects.filter(pk=5).update(author="ada")).result(timeout=WAIT)

    assert "author:ada shop.book 5 entered" in told.records()[-1]


@pytest.mark.postgres
def test_child_that_another_transaction_writes_at_the_commit_is_reset(told):
    """The commit waits for no transaction; where the child will be is unknown."""
    with uncommitted(lambda: Book.objects.filter(pk=5).update(author="ada")):
        parents().filter(pk=5).update(maker="x")
        assert told() == resets(Book, *BOOKS) | moved(Product(pk=5), [], ["maker:x"])

    assert told() == moved(Book(pk=5), ["author:eve"], ["author:ada"])


@pytest.mark.postgres
@pytest.mark.parametrize("moves", [False, True])
def test_child_in_an_older_snapshot(moves, told):
    """It is told if it has not changed since; else the commit resets, and does not fail."""
    with another() as start, transaction.atomic():
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert parents().filter(pk=5).update(maker="x") == 1
        if moves:
            start(lambda: Book.objects.filter(pk=5).update(author="ada")).result(timeout=WAIT)

    found = told.records()[-1]
    assert moved(Product(pk=5), [], ["maker:x"]) <= found
    expected = resets(Book, *BOOKS) if moves else lines((Book, 5), "updated", "author:eve")
    assert found - moved(Product(pk=5), [], ["maker:x"]) == expected


@pytest.mark.postgres
def test_transaction_begun_by_raw_sql_locks_no_child(told):
    """Its messages are stored with each write, long before it ends."""
    run("BEGIN")
    parents().filter(pk=5).update(maker="x")
    with another() as start:
        move = start(lambda: Book.objects.filter(pk=5).update(author="ada"))
        assert move.done()
    run("COMMIT")

    assert any(resets(Book, *BOOKS) <= record for record in told.records())


@pytest.mark.postgres
def test_child_saved_raw_fires_no_trigger_of_its_parent(told):
    """`loaddata` writes the child's table only."""
    parcel = Parcel.objects.create()
    run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'the parent is not to be written'; END $$",
        "CREATE TRIGGER refuses BEFORE UPDATE ON shop_parcel"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    )
    told.records()
    try:
        Express(parcel_ptr=parcel, hours=5).save_base(raw=True)
    finally:
        run("DROP FUNCTION refuse CASCADE")

    assert told() == lines((Express, parcel.pk), "entered", "hours:5")
