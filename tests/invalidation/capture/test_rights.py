"""Roles of PostgreSQL that may write more than they may read."""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager

import pytest
from django.db import connection, models, transaction
from django.test.utils import isolate_apps

from realtime import telemetry
from tests.invalidation.capture.tables import run, table_of
from tests.invalidation.told import lines, resets
from tests.shop.models import Book, Product

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

MESSAGES = "ON ALL TABLES IN SCHEMA public TO lq_writer"


@pytest.fixture
def writer(transactional_db):
    """Return a block in which the connection acts as a role that may write messages only."""
    run("CREATE ROLE lq_writer")
    tables = connection.introspection.table_names()
    stored = ", ".join(f'"{name}"' for name in tables if name.startswith("realtime_"))
    run(
        f"GRANT ALL ON {stored} TO lq_writer",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO lq_writer",
    )
    yield acting
    run("RESET ROLE", "DROP OWNED BY lq_writer", "DROP ROLE lq_writer")


@contextmanager
def acting():
    """Act as the role within a block."""
    run("SET ROLE lq_writer")
    try:
        yield
    finally:
        run("RESET ROLE")


@pytest.fixture
def warnings(caplog, monkeypatch):
    """Return a function that gives capture's warnings so far."""
    monkeypatch.setattr(telemetry, "_next", {})
    caplog.set_level(logging.WARNING, "invalidation.capture")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "invalidation.capture"]


def secrets():
    """Make the model, whose key Python makes."""

    class Secret(models.Model):
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        box = models.IntegerField()
        word = models.CharField(max_length=9, default="")

        class Meta:
            app_label = "shop"

    return Secret


@isolate_apps("tests.shop")
def test_role_that_may_not_read_writes(writer, warnings, told):
    """INSERT, UPDATE and DELETE need no right to SELECT; RETURNING does."""
    model = secrets()
    with table_of(model, "box:{box}"):
        run("GRANT INSERT, UPDATE, DELETE ON shop_secret TO lq_writer")
        told.records()

        with writer():
            model.objects.create(box=1)
        assert told() == resets(model, "box:")
        with writer():
            model.objects.bulk_create([model(box=1)], ignore_conflicts=True)
        assert told() == resets(model, "box:")
        with writer():
            assert model.objects.update(box=2) == 2
        assert told() == resets(model, "box:")
        with writer():
            assert model.objects.all()._raw_delete("default") == 2
        assert told() == resets(model, "box:")

    assert warnings() == [
        "writes of shop_secret are told as resets of its families: the role may not read box, id"
    ]


@isolate_apps("tests.shop")
def test_role_that_may_not_read_one_column_writes(writer, warnings, told):
    """Only the columns that topics and images need are read."""
    model = secrets()
    with table_of(model, "box:{box}"):
        run(
            "GRANT INSERT, UPDATE, DELETE, SELECT (id, word) ON shop_secret TO lq_writer",
        )
        told.records()
        with writer():
            secret = model.objects.create(box=1)
            assert model.objects.filter(pk=secret.pk).update(word="x") == 1
        assert [*told.records()] == [resets(model, "box:")] * 2
        assert "the role may not read box" in warnings()[0]

        run("GRANT SELECT (box) ON shop_secret TO lq_writer")
        with writer():
            assert model.objects.filter(pk=secret.pk).update(word="y") == 1
        assert told() == lines(secret, "updated", "box:1")


@isolate_apps("tests.shop")
def test_upsert_of_a_role_with_columns_only_is_reset(writer, told):
    """The system columns that show the old version need the right to the whole table."""
    model = secrets()
    with table_of(model, "box:{box}"):
        run("GRANT INSERT, UPDATE, SELECT (id, box, word) ON shop_secret TO lq_writer")
        secret = model.objects.create(box=1)
        told.records()

        with writer():
            model.objects.bulk_create(
                [model(pk=secret.pk, box=2)],
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=["box"],
            )

        assert told() == resets(model, "box:")


@isolate_apps("tests.shop")
def test_row_level_security_lets_writes_through(writer, warnings, told):
    """A role may insert, change and delete rows that are hidden from it."""
    model = secrets()
    with table_of(model, "box:{box}"):
        run(
            "GRANT ALL ON shop_secret TO lq_writer",
            "ALTER TABLE shop_secret ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY adds ON shop_secret FOR INSERT WITH CHECK (true)",
            "CREATE POLICY sees ON shop_secret FOR SELECT USING (box < 10)",
            "CREATE POLICY drops ON shop_secret FOR DELETE USING (true)",
            "CREATE POLICY moves ON shop_secret FOR UPDATE USING (true) WITH CHECK (true)",
        )
        told.records()
        with writer():
            model.objects.create(box=50)
        assert told() == resets(model, "box:")
        with writer():
            # Without a condition no right to see the rows is needed.
            assert model.objects.update(box=60) == 1
        assert told() == resets(model, "box:")
        with writer():
            assert model.objects.all()._raw_delete("default") == 1
        assert told() == resets(model, "box:")
        assert not model.objects.exists()
        assert "row-level security" in warnings()[0]

        # The owner sees all rows.
        secret = model.objects.create(box=50)
        assert told() == lines(secret, "entered", "box:50")


@isolate_apps("tests.shop")
def test_role_that_is_set_and_rolled_back_is_noticed(writer, told):
    """A rollback takes SET ROLE back."""
    model = secrets()
    with table_of(model, "box:{box}"):
        run("GRANT INSERT ON shop_secret TO lq_writer")
        told.records()

        with transaction.atomic():
            run("SET LOCAL ROLE lq_writer")
            model.objects.create(box=1)
        assert told() == resets(model, "box:")

        secret = model.objects.create(box=2)
        assert told() == lines(secret, "entered", "box:2")


@pytest.mark.parametrize("grant", ["", "GRANT SELECT ON shop_book TO lq_writer"])
def test_child_that_may_not_be_read_or_locked_is_reset(grant, writer, told):
    """The parent's writer needs no right to the child's table."""
    book = Book.objects.create(pk=5, author="eve")
    run("GRANT SELECT, UPDATE ON shop_product TO lq_writer", *filter(None, [grant]))
    told.records()

    with writer():
        assert Product._base_manager.filter(pk=book.pk).update(hidden=True) == 1

    assert told() == resets(Book, "author:") | lines((Product, 5), "updated")
