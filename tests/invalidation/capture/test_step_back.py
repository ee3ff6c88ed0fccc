"""Statements and tables that capture cannot touch: the write works as untracked, and is reset."""

from __future__ import annotations

import pytest
from django.db import connection, models, transaction
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLUpdateCompiler
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import run, table_of, tracked_as
from tests.invalidation.told import resets
from tests.shop.models import Shelf, Visit

pytestmark = pytest.mark.django_db(transaction=True)

SHELVES = ("shelf:", "inside:")


@pytest.mark.parametrize("write", ["update", "delete"])
def test_condition_may_use_a_with_clause(write, told, monkeypatch):
    """As packages for common table expressions make them: the clause stands before the verb."""
    Shelf.objects.bulk_create([Shelf(pk=40), Shelf(pk=90)])
    told.records()
    for compiler in (SQLUpdateCompiler, SQLDeleteCompiler):
        monkeypatch.setattr(compiler, "as_sql", with_clause(compiler.as_sql))
    few = Shelf.objects.extra(where=["shop_shelf.id IN (SELECT id FROM few)"])

    found = few.update(name="few") if write == "update" else few._raw_delete("default")

    # SQLite's driver does not count the rows of a statement that begins with WITH.
    assert found == (-1 if connection.vendor == "sqlite" else 1)
    assert told() == resets(Shelf, *SHELVES)
    monkeypatch.undo()
    left = Shelf.objects.filter(pk__gte=40).order_by("pk").values_list("pk", "name")
    assert list(left) == ([(40, "few"), (90, "")] if write == "update" else [(90, "")])


def with_clause(as_sql):
    """Return a compiler's method that puts a WITH clause before the statement."""

    def made(self):
        sql, params = as_sql(self)
        few = "WITH few AS (SELECT id FROM shop_shelf WHERE id BETWEEN 40 AND %s)"
        return (f"{few} {sql}", (50, *params)) if sql else (sql, params)

    return made


@pytest.mark.postgres
@isolate_apps("tests.shop")
def test_tables_with_rewrite_rules_are_reset(told):
    """A rule may turn a DELETE into an UPDATE, and refuses RETURNING."""

    class Kept(models.Model):
        id = models.IntegerField(primary_key=True)
        box = models.IntegerField()
        gone = models.BooleanField(default=False)

        class Meta:
            app_label = "shop"

    with table_of(Kept, "box:{box}"):
        Kept.objects.bulk_create([Kept(id=1, box=1), Kept(id=2, box=1)])
        run(
            "CREATE RULE keep AS ON DELETE TO shop_kept"
            " DO INSTEAD UPDATE shop_kept SET gone = TRUE WHERE id = OLD.id"
        )
        told.records()

        Kept.objects.filter(id=1)._raw_delete("default")
        assert told() == resets(Kept, "box:")
        assert list(Kept.objects.filter(gone=True)) == [Kept(id=1)]

        assert Kept.objects.update(box=2) == 2
        assert told() == resets(Kept, "box:")

        Kept.objects.create(id=3, box=1)
        assert told() == resets(Kept, "box:")


@pytest.mark.sqlite
@isolate_apps("tests.shop")
def test_virtual_tables_are_reset(told):
    """A full-text table: UPDATE and DELETE return no rows."""

    class Note(models.Model):
        id = models.IntegerField(primary_key=True, db_column="rowid")
        text = models.TextField()

        class Meta:
            app_label = "shop"
            managed = False

    run("CREATE VIRTUAL TABLE shop_note USING fts5 (text)")
    try:
        with tracked_as(Note, "note:{id}"):
            Note.objects.create(id=5, text="a lamp")
            assert told() == resets(Note, "note:")
            assert Note.objects.filter(id=5).update(text="a bed") == 1
            assert told() == resets(Note, "note:")
            assert Note.objects.get().text == "a bed"
            assert Note.objects.all().delete()[0] == 1
            assert told() == resets(Note, "note:")
    finally:
        run("DROP TABLE shop_note")


@pytest.mark.sqlite
@isolate_apps("tests.shop")
def test_views_of_sqlite_are_reset(told):
    """INSTEAD OF triggers write other tables."""

    class Seen(models.Model):
        id = models.IntegerField(primary_key=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"
            managed = False

    run(
        "CREATE TABLE behind (id int PRIMARY KEY, box int)",
        "CREATE VIEW shop_seen AS SELECT id, box FROM behind",
        "CREATE TRIGGER i INSTEAD OF INSERT ON shop_seen"
        " BEGIN INSERT INTO behind VALUES (NEW.id, NEW.box); END",
        "CREATE TRIGGER u INSTEAD OF UPDATE ON shop_seen"
        " BEGIN UPDATE behind SET box = NEW.box WHERE id = OLD.id; END",
        "CREATE TRIGGER d INSTEAD OF DELETE ON shop_seen"
        " BEGIN DELETE FROM behind WHERE id = OLD.id; END",
    )
    try:
        with tracked_as(Seen, "box:{box}"):
            Seen(pk=1, box=1).save(force_insert=True)
            assert told() == resets(Seen, "box:")
            Seen.objects.filter(box=1).update(box=2)
            assert told() == resets(Seen, "box:")
            assert Seen.objects.get().box == 2
            Seen.objects.filter(box=2).delete()
            assert told() == resets(Seen, "box:")
            assert not Seen.objects.exists()
    finally:
        run("DROP VIEW shop_seen", "DROP TABLE behind")


@pytest.mark.sqlite
@pytest.mark.skipif(
    connection.vendor == "sqlite" and connection.features.minimum_database_version >= (3, 35),
    reason="this Django takes no SQLite without RETURNING",
)
def test_sqlite_before_returning_works(lamp, told, monkeypatch):
    """SQLite 3.31 to 3.34, which Django 5.2 takes, do not know RETURNING."""
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)

    def refuse(execute, sql, params, many, context):
        assert "RETURNING" not in sql
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        shelf = Shelf.objects.create(name="new")
        assert told() == resets(Shelf, *SHELVES)
        assert Shelf.objects.get(name="new").pk == shelf.pk

        shelf.name = "newer"
        shelf.save()
        assert told() == resets(Shelf, *SHELVES)

        Shelf.objects.bulk_create(
            [Shelf(pk=shelf.pk, name="newest")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["name"],
        )
        assert told() == resets(Shelf, *SHELVES)

        assert Shelf.objects.filter(name="newest")._raw_delete("default") == 1
        assert told() == resets(Shelf, *SHELVES)


@pytest.mark.postgres
@pytest.mark.parametrize("block", [True, False], ids=["atomic", "autocommit"])
def test_pipeline_mode_works_as_untracked(block, told):
    """In psycopg's pipeline mode a statement has no result until the pipeline is synchronised."""

    def write(model):
        with connection.connection.pipeline():
            if block:
                with transaction.atomic():
                    return model.objects.create().pk
            return model.objects.create().pk

    connection.ensure_connection()

    def outcome(model):
        try:
            pk = write(model)
        except Exception as error:
            connection.close()
            return type(error)
        return model.objects.filter(pk=pk).count()

    expected = outcome(Visit)
    told.records()
    assert outcome(Shelf) == expected
    if expected == 1:
        assert told() == resets(Shelf, *SHELVES)


@isolate_apps("tests.shop")
def test_column_that_is_not_there_yet_is_not_read(told):
    """New code runs before its migration; an UPDATE of other columns works untracked."""

    class Early(models.Model):
        id = models.IntegerField(primary_key=True)
        box = models.IntegerField()
        later = models.IntegerField(null=True)

        class Meta:
            app_label = "shop"
            managed = False

    run(
        "CREATE TABLE shop_early (id int PRIMARY KEY, box int)",
        "INSERT INTO shop_early VALUES (1, 1)",
    )
    try:
        with tracked_as(Early, "later:{later}"):
            assert Early.objects.filter(pk=1).update(box=2) == 1
            assert told() == resets(Early, "later:")

            run("ALTER TABLE shop_early ADD COLUMN later int")
            told.records()
            assert Early.objects.filter(pk=1).update(box=3) == 1
            assert resets(Early, "later:").isdisjoint(told())
    finally:
        run("DROP TABLE shop_early")


@isolate_apps("tests.shop")
def test_facts_of_a_table_follow_a_rollback(told):
    """DDL that is rolled back leaves the table as it was, for capture too."""

    class Early(models.Model):
        id = models.IntegerField(primary_key=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"
            managed = False

    run("CREATE TABLE shop_early (id int, box int)", "INSERT INTO shop_early VALUES (1, 1)")
    try:
        with tracked_as(Early, "box:{box}"):
            with transaction.atomic():
                run("CREATE UNIQUE INDEX early_id ON shop_early (id)")
                assert Early.objects.filter(pk=1).update(box=2) == 1
                transaction.set_rollback(True)
            run("INSERT INTO shop_early VALUES (1, 9)")
            told.records()

            assert Early.objects.filter(pk=1).update(box=3) == 2
            assert told() == resets(Early, "box:")
    finally:
        run("DROP TABLE shop_early")
