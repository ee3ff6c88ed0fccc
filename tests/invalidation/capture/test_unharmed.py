"""A project's code works as it did before its models were tracked."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, FilteredRelation, Q
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext

from demo_todo.models import TodoList
from invalidation.tracking import registry as tracking
from invalidation.transactions.journal import journal_of
from realtime.models import StoredRecord
from tests.invalidation.told import lines, moved
from tests.shop.models import Book, Country, Product, Shelf, Visit

pytestmark = pytest.mark.django_db(transaction=True)


def test_untracked_model_pays_no_query(told, django_assert_num_queries):
    """A write of it costs no query, transaction or record."""
    with django_assert_num_queries(4):
        visit = Visit.objects.create(page="a")
        visit.save()
        Visit.objects.filter(page="a").update(page="b")
        Visit.objects.filter(page="b")._raw_delete("default")

    assert told.records() == []


def test_reading_tracked_models_pays_no_query(lamp, told, django_assert_num_queries):
    """Reads are not captured."""
    with django_assert_num_queries(3):
        list(Product.objects.all())
        Product.objects.count()
        Product.objects.filter(maker="me").exists()


def test_tracked_write_pays_a_bounded_number_of_queries(lamp, told):
    """BEGIN, lock, read, write, read, record, COMMIT: for any number of rows."""
    Product.objects.bulk_create(Product(maker="x") for _ in range(50))

    with CaptureQueriesContext(connection) as queries:
        Product.objects.update(maker="y")

    assert len(queries) <= 7


def test_writes_of_signal_receivers_are_told_with_their_cause(lamp, told):
    """Projects save in signal receivers."""

    def follow(sender, instance, **_):
        Shelf.objects.filter(pk=1).update(name=f"{sender.__name__} {instance.pk}")

    for signal in (pre_save, post_save, pre_delete, post_delete):
        signal.connect(follow, sender=Product)
    try:
        with transaction.atomic():
            lamp.maker = "you"
            lamp.save()
        assert told() == moved(lamp, ["maker:me"], ["maker:you"], ["shelf:1"]) | lines(
            (Shelf, 1), "updated", "shelf:1"
        )
        lamp.delete()
        assert set().union(*told.records()) >= lines((Product, 1), "left", "shelf:1", "maker:you")
    finally:
        for signal in (pre_save, post_save, pre_delete, post_delete):
            signal.disconnect(follow, sender=Product)


def test_signal_receivers_of_every_model_get_no_stored_records(told):
    """An audit log that writes at every save would write during the commit."""
    senders = []

    def audit(sender, **_):
        senders.append(sender)
        Country.objects.get_or_create(code=sender.__name__)

    post_save.connect(audit)
    try:
        Shelf.objects.create(pk=7)
    finally:
        post_save.disconnect(audit)

    assert StoredRecord not in senders
    told_of = set().union(*told.records())
    assert lines((Country, "Shelf"), "entered", "country:Shelf", "named:nameless") <= told_of
    assert journal_of(connection).entries() == ()


def test_loading_fixtures_is_told(tmp_path, told):
    """`loaddata` saves raw, table by table, with constraint checks deferred."""
    rows = [
        {"model": "shop.book", "pk": 8, "fields": {"author": "eve"}},
        {"model": "shop.product", "pk": 8, "fields": {"maker": "x", "shelf": 9}},
        {"model": "shop.shelf", "pk": 9, "fields": {}},
        {"model": "shop.stock", "fields": {"shop_number": 1, "product": "nail"}},
    ]
    fixture = tmp_path / "rows.json"
    fixture.write_text(json.dumps(rows), encoding="utf-8")

    call_command("loaddata", fixture, verbosity=0)

    assert told() >= (
        lines((Book, 8), "entered", "author:eve")
        | lines((Product, 8), "entered", "shelf:9", "maker:x")
        | lines((Shelf, 9), "entered", "shelf:9")
    )
    assert Book.objects.get().maker == "x"


def test_dumping_writes_nothing(lamp, told):
    """`dumpdata` only reads."""
    call_command("dumpdata", "shop", stdout=io.StringIO())

    assert told.records() == []


@pytest.mark.sqlite  # PostgreSQL does not pass the checks yet
def test_checking_writes_nothing(lamp, told):
    """`check` only reads."""
    call_command("check", verbosity=0, stdout=io.StringIO())

    assert told.records() == []


def test_rows_may_be_written_while_others_are_read(told):
    """An open cursor survives the commits of writes in its loop, and refused writes."""
    Shelf.objects.bulk_create(Shelf(pk=pk) for pk in range(10, 40))
    told.records()

    for shelf in Shelf.objects.filter(pk__gte=10).iterator(chunk_size=2):
        shelf.name = "seen"
        shelf.save()
        with pytest.raises(IntegrityError):
            Shelf(pk=1).save(force_insert=True)

    assert Shelf.objects.filter(name="seen").count() == 30
    assert len(told.records()) == 30


@pytest.mark.sqlite
def test_tables_without_a_rowid_can_be_written(lamp, told):
    """A project may have created its table WITHOUT ROWID."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_country RENAME TO kept")
        cursor.execute("CREATE TABLE shop_country (code PRIMARY KEY, name) WITHOUT ROWID")
    told.records()
    try:
        country = Country.objects.create(code="no", name="x")
        Country.objects.update(name="y")
        country.delete()
        assert len(told.records()) == 3
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE shop_country")
            cursor.execute("ALTER TABLE kept RENAME TO shop_country")


def test_results_of_writes_are_djangos(lamp):
    """Counts, keys and returned objects are unchanged."""
    assert Product.objects.update(maker="x") == 1
    assert Product.objects.filter(maker="no").update(maker="x") == 0
    assert Book.objects.update(maker="x") == 0
    assert Product.objects.filter(pk=1)._raw_delete("default") == 1
    assert Shelf.objects.filter(pk=1).delete() == (1, {"shop.Shelf": 1})
    made = Shelf.objects.bulk_create([Shelf(), Shelf()])
    assert all(shelf.pk for shelf in made)
    assert Shelf.objects.create().pk == made[-1].pk + 1


QUERYSETS = {
    "join": lambda: Product.objects.filter(shelf__products__maker="x"),
    "distinct": lambda: Product.objects.filter(shelf__products__maker="x").distinct(),
    "exclude": lambda: Product.objects.exclude(shelf__products__maker="x"),
    "having": lambda: Product.objects.alias(n=Count("shelf__products")).filter(n__gte=2),
    "values": lambda: Product.objects.values("maker").annotate(n=Count("tags")).filter(n=0),
    "select": lambda: Product.objects.extra(select={"z": "1"}).filter(maker="x"),
    "child": lambda: Book.objects.filter(shelf=21),
    "relation": lambda: Product.objects.annotate(
        mate=FilteredRelation("shelf__products", condition=Q(shelf__products__maker="x"))
    ).filter(mate__id__gt=0),
}


@pytest.mark.parametrize("rows", QUERYSETS.values(), ids=QUERYSETS)
@pytest.mark.parametrize(
    "write",
    [lambda rows: rows.update(name="hit"), lambda rows: rows._raw_delete("default")],
    ids=["update", "delete"],
)
def test_write_takes_the_rows_that_django_takes(rows, write, told):
    """Limiting a write to the keys that were read selects the same rows as its condition."""

    def outcome():
        with transaction.atomic():
            Shelf.objects.bulk_create([Shelf(pk=21), Shelf(pk=22)])
            for pk, (shelf, maker) in enumerate([(21, "x"), (21, "y"), (22, "z"), (None, "x")]):
                Product.objects.create(pk=50 + pk, shelf_id=shelf, maker=maker)
            Book.objects.create(pk=60, shelf_id=21)
            result = write(rows())
            left = list(Product._base_manager.order_by("pk").values_list("pk", "name"))
            transaction.set_rollback(True)
        return result, left

    tracked = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "registry", tracking.Registry())
        untracked = outcome()

    assert tracked == untracked


def test_admin_writes_are_told(admin_client: Client, told):
    """The admin adds, changes and deletes in its own transactions."""
    path = "/admin/demo_todo/todolist/"

    assert admin_client.post(f"{path}add/", {"name": "one"}).status_code == 302
    row = TodoList.objects.get()
    assert lines(row, "entered", f"list:{row.pk}", f"name:{row.pk}") in told.records()

    admin_client.post(f"{path}{row.pk}/change/", {"name": "two"})
    assert lines(row, "updated", f"list:{row.pk}", f"name:{row.pk}") in told.records()

    admin_client.post(f"{path}{row.pk}/delete/", {"post": "yes"})
    assert lines(row, "left", f"list:{row.pk}", f"name:{row.pk}") in told.records()


class UsualTests(TestCase):
    """A project's own tests, each in a transaction that never commits."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.shelf = Shelf.objects.create(pk=1)

    def test_writes_work_without_a_commit(self) -> None:
        """Without a commit no record is stored."""
        before = StoredRecord.objects.count()
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            Product.objects.create(shelf=self.shelf)
            transaction.on_commit(lambda: Product.objects.create(shelf=self.shelf))

        self.assertEqual(Product.objects.count(), 2)
        self.assertEqual(len(callbacks), 1)
        self.assertEqual(StoredRecord.objects.count(), before)

    def test_tests_do_not_see_each_other(self) -> None:
        """The journal is cut back with the savepoint of a test."""
        self.assertEqual(Product.objects.count(), 0)
        models = {entry.model for entry in journal_of(connection).entries()}
        self.assertEqual(models, {Shelf})
