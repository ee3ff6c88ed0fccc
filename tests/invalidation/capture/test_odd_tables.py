"""Unusual tables and columns."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection, models
from django.db.models import F
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import run, table_of, tracked_as
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "name", ["lq", "two words", "a WHERE b", "select", "dotted.name", "it's", "tür", "t" * 70]
)
@isolate_apps("tests.shop")
def test_table_and_column_names_may_be_anything(name, told):
    """Statements are split by the parts that Django joined, not by their text."""

    class Odd(models.Model):
        box = models.IntegerField(db_column=name[:60])
        lid = models.IntegerField(db_column="lq0")

        class Meta:
            app_label = "shop"
            db_table = name

    with table_of(Odd, "box:{box}"):
        row = Odd.objects.create(pk=1, box=1, lid=1)
        assert told.records()[-1] == lines(row, "entered", "box:1")

        assert Odd.objects.filter(box=1, lid=1).update(box=F("box") + F("lid")) == 1
        assert told() == moved(row, ["box:1"], ["box:2"])

        assert Odd.objects.filter(box=2).delete()[0] == 1
        assert told() == lines(row, "left", "box:2")


def test_as_many_rows_with_composite_keys_are_updated_as_with_others(told):
    """SQLite limits the depth of an expression."""
    Stock.objects.bulk_create(Stock(shop_number=number, product="x") for number in range(1000))
    told.records()

    assert Stock.objects.update(amount=5) == 1000

    assert lines((Stock, (999, "x")), "updated", "stock:999/x") <= told()


class Slug(models.CharField):
    """A field whose `pre_save()` makes a value that the object does not get."""

    def pre_save(self, instance, add):
        return instance.title.lower()


@isolate_apps("tests.shop")
def test_upsert_by_a_value_that_its_field_makes_tells_where_the_row_was(told):
    """The written value of the unique column is not the object's."""

    class Page(models.Model):
        slug = Slug(max_length=20, unique=True)
        title = models.CharField(max_length=20)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Page, "box:{box}"):
        page = Page.objects.create(pk=1, title="A", box=1)
        told.records()

        Page.objects.bulk_create(
            [Page(title="A", box=2)],
            update_conflicts=True,
            unique_fields=["slug"],
            update_fields=["box"],
        )

        assert told() == moved(page, ["box:1"], ["box:2"])


VIEWS = {
    "view": [],
    "view of distinct rows": [
        """
        CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF TG_OP = 'INSERT' THEN
            INSERT INTO behind VALUES (NEW.id, NEW.box); RETURN NEW;
          ELSIF TG_OP = 'UPDATE' THEN
            UPDATE behind SET box = NEW.box WHERE id = NEW.id; RETURN NEW;
          END IF;
          DELETE FROM behind WHERE id = OLD.id; RETURN OLD;
        END $$""",
        """
        CREATE TRIGGER keep INSTEAD OF INSERT OR UPDATE OR DELETE ON shop_seen
        FOR EACH ROW EXECUTE FUNCTION kept()""",
    ],
    "rules": [
        "CREATE RULE i AS ON INSERT TO shop_seen DO INSTEAD INSERT INTO behind VALUES (NEW.*)",
        """
        CREATE RULE u AS ON UPDATE TO shop_seen
        DO INSTEAD UPDATE behind SET box = NEW.box WHERE id = OLD.id""",
        "CREATE RULE d AS ON DELETE TO shop_seen DO INSTEAD DELETE FROM behind WHERE id = OLD.id",
    ],
}


@pytest.mark.postgres
@pytest.mark.parametrize("kind", VIEWS)
@isolate_apps("tests.shop")
def test_views_are_written_as_ever_and_reset(kind, told):
    """A view's triggers may write other rows, and it cannot always return them."""

    class Seen(models.Model):
        id = models.IntegerField(primary_key=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"
            managed = False

    distinct = "DISTINCT" if "distinct" in kind else ""
    run(
        "CREATE TABLE behind (id int PRIMARY KEY, box int)",
        f"CREATE VIEW shop_seen AS SELECT {distinct} id, box FROM behind",
        *VIEWS[kind],
    )
    try:
        with tracked_as(Seen, "box:{box}"):
            Seen(pk=1, box=1).save(force_insert=True)
            assert told() == resets(Seen, "box:")
            assert Seen.objects.filter(box=1).update(box=2) == 1
            assert told() == resets(Seen, "box:")
            assert Seen.objects.filter(box=2).delete()[0] == 1
            assert told() == resets(Seen, "box:")
    finally:
        run("DROP TABLE behind CASCADE", "DROP FUNCTION IF EXISTS kept")


@pytest.mark.postgres
@isolate_apps("tests.shop")
def test_rows_of_partitioned_tables_are_told(told):
    """Also rows that an UPDATE moves to another partition; an upsert is reset."""

    class Part(models.Model):
        pk = models.CompositePrimaryKey("region", "number")
        region = models.IntegerField()
        number = models.IntegerField()
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    run(
        "CREATE TABLE shop_part (region int, number int, box int, PRIMARY KEY (region, number))"
        " PARTITION BY LIST (region)",
        "CREATE TABLE part_1 PARTITION OF shop_part FOR VALUES IN (1)",
        "CREATE TABLE part_2 PARTITION OF shop_part FOR VALUES IN (2)",
    )
    try:
        with tracked_as(Part, "box:{box}"):
            old = Part.objects.create(region=1, number=1, box=1)
            assert told() == lines(old, "entered", "box:1")

            assert Part.objects.update(region=2, box=2) == 1
            new = Part(region=2, number=1)
            assert told() == lines(old, "left", "box:1") | lines(new, "entered", "box:2")

            Part.objects.bulk_create(
                [Part(region=2, number=1, box=3)],
                update_conflicts=True,
                unique_fields=["region", "number"],
                update_fields=["box"],
            )
            assert told() == resets(Part, "box:")

            assert Part.objects.filter(box=3).delete()[0] == 1
            assert told() == lines(new, "left", "box:3")
    finally:
        run("DROP TABLE shop_part")


@isolate_apps("tests.shop")
def test_numbers_are_told_as_they_are_read(told):
    """SQLite's RETURNING may give an integer for a whole float, or a float for an integer."""

    class Level(models.Model):
        height = models.FloatField()
        box = models.IntegerField()
        code = models.CharField(max_length=9, primary_key=True)

        class Meta:
            app_label = "shop"

    class Mark(models.Model):
        box = models.IntegerField()
        height = models.FloatField()

        class Meta:
            app_label = "shop"

    for model in Level, Mark:
        with table_of(model, "box:{box}", "height:{height}"):
            row = model.objects.create(pk="1", box=1, height=5)
            assert told.records()[-1] == lines(row, "entered", "box:1", "height:5.0")

            model.objects.update(box=2)
            assert told() == moved(row, ["box:1"], ["box:2"], ["height:5.0"])

            model.objects.all().delete()
            assert told() == lines((model, "1"), "left", "box:2", "height:5.0")


UNREADABLE = {
    "postgresql": {"day": "infinity", "moment": "-infinity", "hour": "24:00"},
    "sqlite": {"day": "2020-13-13", "moment": "2020-13-13 00:00:00", "price": "much"},
}[connection.vendor]


@pytest.mark.parametrize("column", UNREADABLE)
@isolate_apps("tests.shop")
def test_rows_that_python_cannot_read_are_written_as_ever(column, told):
    """Django can read and write the other columns of such rows."""

    class Term(models.Model):
        box = models.IntegerField()
        day = models.DateField(null=True)
        moment = models.DateTimeField(null=True)
        hour = models.TimeField(null=True)
        price = models.DecimalField(max_digits=9, decimal_places=2, null=True)

        class Meta:
            app_label = "shop"

    with table_of(Term, "box:{box}"):
        Term.objects.create(pk=1, box=1)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE shop_term SET {column} = %s", [UNREADABLE[column]])
        told.records()

        assert Term.objects.update(box=F("box") + 1) == 1
        assert told() == resets(Term, "box:")
        assert Term.objects.values_list("box").get() == (2,)

        Term.objects.bulk_create(
            [Term(pk=1, box=3)], update_conflicts=True, unique_fields=["id"], update_fields=["box"]
        )
        assert told() == resets(Term, "box:")
        assert Term.objects.values_list("box").get() == (3,)

        assert Term.objects.filter(box=3).delete()[0] == 1
        assert told() == resets(Term, "box:")


@isolate_apps("tests.shop")
def test_row_that_the_database_makes_unreadable_is_created_as_ever(told):
    """Django asks for the key alone, which can be read."""

    class Term(models.Model):
        box = models.IntegerField()
        day = models.DateField(null=True)

        class Meta:
            app_label = "shop"

    with table_of(Term, "box:{box}"):
        if connection.vendor == "sqlite":
            run(
                "CREATE TRIGGER late AFTER INSERT ON shop_term"
                " BEGIN UPDATE shop_term SET day = '2020-13-13' WHERE id = NEW.id; END"
            )
        else:
            run(
                "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN NEW.day = 'infinity'; RETURN NEW; END $$",
                "CREATE TRIGGER late BEFORE INSERT ON shop_term"
                " FOR EACH ROW EXECUTE FUNCTION late()",
            )
        told.records()

        term = Term.objects.create(box=1)
        assert told() == resets(Term, "box:")
        assert Term.objects.filter(pk=term.pk).values_list("box").get() == (1,)

        made = Term.objects.bulk_create([Term(box=2), Term(box=3)])
        assert told() == resets(Term, "box:")
        assert [Term.objects.values_list("box").get(pk=row.pk) for row in made] == [(2,), (3,)]

    if connection.vendor == "postgresql":
        run("DROP FUNCTION late CASCADE")


@isolate_apps("tests.shop")
def test_rows_may_have_times_for_keys(told):
    """SQLite's driver returns times, but refuses them as parameters."""

    class Bell(models.Model):
        at = models.TimeField(primary_key=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Bell, "box:{box}"):
        bell = Bell.objects.create(at=dt.time(1, 2, 3, 400), box=1)
        told.records()

        assert Bell.objects.filter(box=1).update(box=2) == 1
        assert told() == moved(bell, ["box:1"], ["box:2"])
