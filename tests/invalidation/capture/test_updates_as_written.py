"""An UPDATE writes the rows that it writes untracked, in the same order."""

from __future__ import annotations

import sqlite3
import uuid

import pytest
from django.db import connection, models, transaction
from django.db.models import F, Subquery
from django.db.models.functions import Now
from django.test.utils import isolate_apps

from tests.invalidation.capture.tables import run, table_of, tracked_as
from tests.invalidation.told import lines, moved, resets
from tests.shop.models import Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@isolate_apps("tests.shop")
def test_key_that_is_not_unique_does_not_widen_the_condition(told):
    """An unmanaged model may name the first of two key columns as its primary key."""

    class Position(models.Model):
        order = models.IntegerField(primary_key=True)
        number = models.IntegerField()
        state = models.CharField(max_length=9)

        class Meta:
            app_label = "shop"
            managed = False

    run(
        'CREATE TABLE shop_position ("order" int, number int, state varchar(9),'
        ' PRIMARY KEY ("order", number))',
        "INSERT INTO shop_position VALUES (1, 1, 'open'), (1, 2, 'open')",
    )
    try:
        with tracked_as(Position, "state:{state}"):
            rows = Position.objects.order_by("number").values_list("number", "state").all

            assert Position.objects.filter(order=1, number=2).update(state="paid") == 1
            assert list(rows()) == [(1, "open"), (2, "paid")]
            assert told() == resets(Position, "state:")

            assert Position.objects.filter(pk=1).update(state="sent") == 2
            assert list(rows()) == [(1, "sent"), (2, "sent")]
            assert told() == resets(Position, "state:")

            assert Position.objects.filter(number=1)._raw_delete("default") == 1
            assert list(rows()) == [(2, "sent")]
            assert told() == resets(Position, "state:")
    finally:
        run("DROP TABLE shop_position")


@isolate_apps("tests.shop")
def test_key_that_the_database_spells_is_found(told):
    """SQLite stores `Now()` without the fraction of a second that Django's adapter sends."""

    class Event(models.Model):
        at = models.DateTimeField(primary_key=True, db_default=Now())
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Event, "box:{box}"):
        event = Event.objects.create(box=1)
        assert told.records()[-1] == lines(event, "entered", "box:1")

        assert Event.objects.update(box=2) == 1
        assert Event.objects.get().box == 2
        assert told() == moved(event, ["box:1"], ["box:2"])

        assert Event.objects.filter(box=2).update(box=F("box") + 1) == 1
        assert told() == moved(event, ["box:2"], ["box:3"])

        assert Event.objects.filter(box=3).delete()[0] == 1
        assert told() == lines(event, "left", "box:3")


@pytest.mark.sqlite
@pytest.mark.parametrize("also", ["", " WITHOUT ROWID"])
@isolate_apps("tests.shop")
def test_row_that_a_trigger_changed_is_told_as_it_is_now(also, told):
    """It is found by its number. Without one nothing finds it, and the families are reset."""

    class Event(models.Model):
        at = models.DateTimeField(primary_key=True, db_default=Now())
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    run(
        "CREATE TABLE shop_event (at datetime PRIMARY KEY DEFAULT CURRENT_TIMESTAMP, box int)"
        + also,
        "CREATE TRIGGER raise_box AFTER UPDATE ON shop_event WHEN NEW.box < 100"
        " BEGIN UPDATE shop_event SET box = NEW.box + 100 WHERE at = NEW.at; END",
        "CREATE TRIGGER first_box AFTER INSERT ON shop_event"
        " BEGIN UPDATE shop_event SET box = 100 + NEW.box WHERE at = NEW.at; END",
    )
    try:
        with tracked_as(Event, "box:{box}"):
            event = Event.objects.create(box=1)
            expected = lines(event, "entered", "box:101")
            assert told() == (resets(Event, "box:") if also else expected)

            assert Event.objects.update(box=2) == 1
            expected = moved(event, ["box:101"], ["box:102"])
            assert told() == (resets(Event, "box:") if also else expected)
    finally:
        run("DROP TABLE shop_event")


@pytest.mark.sqlite
@isolate_apps("tests.shop")
def test_row_that_a_trigger_replaced_is_reset(told):
    """The read-back does not find it under its number, which says nothing of its topics."""

    class Level(models.Model):
        name = models.CharField(max_length=9)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Level, "box:{box}"):
        for event in ("INSERT", "UPDATE"):
            run(
                f"CREATE TRIGGER again_{event} AFTER {event} ON shop_level BEGIN"
                " DELETE FROM shop_level WHERE id = NEW.id;"
                " INSERT INTO shop_level VALUES (NEW.id + 1000, NEW.name, NEW.box); END"
            )
        run("PRAGMA recursive_triggers = OFF")
        told.records()

        Level.objects.create(pk=1, name="a", box=1)
        assert told() == resets(Level, "box:")

        assert Level.objects.update(box=2) == 1
        assert told() == resets(Level, "box:")

        Level.objects.bulk_create(
            [Level(pk=5001, name="a", box=3)],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["box"],
        )
        assert told() == resets(Level, "box:")


@isolate_apps("tests.shop")
def test_rows_are_visited_in_the_tables_order(told):
    """In the order of random keys a unique position would often be taken for a moment."""

    class Item(models.Model):
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        list_id = models.IntegerField()
        position = models.IntegerField()

        class Meta:
            app_label = "shop"
            unique_together = [("list_id", "position")]

    with table_of(Item, "list:{list_id}"):
        for number in range(20):
            items = [Item(list_id=number, position=at) for at in range(6)]
            Item.objects.bulk_create(items)
            items[0].delete()
            told.records()

            rows = Item.objects.filter(list_id=number, position__gt=0)
            assert rows.update(position=F("position") - 1) == 5

            expected = (lines(item, "updated", f"list:{number}") for item in items[1:])
            assert told() == set().union(*expected)


def test_condition_is_evaluated_by_the_statement_itself(told):
    """Rows that the read did not meet are reset, since a volatile condition chose them."""
    Shelf.objects.bulk_create(Shelf(pk=pk) for pk in range(10, 200))
    told.records()
    by_chance = Shelf.objects.order_by("?").values("pk")

    assert Shelf.objects.filter(pk__in=by_chance[:5]).update(name="hit") == 5

    assert Shelf.objects.filter(name="hit").count() == 5
    assert told() == resets(Shelf, "shelf:", "inside:")


def test_changed_key_of_a_volatile_condition_is_reset(told):
    """As many rows written as were read are not yet the same rows."""
    Shelf.objects.bulk_create(Shelf(pk=pk) for pk in range(10, 200))
    told.records()
    by_chance = Shelf.objects.order_by("?").values("pk")

    assert Shelf.objects.filter(pk__in=by_chance[:5]).update(id=F("id") + 1_000) == 5

    assert Shelf.objects.filter(pk__gt=1_000).count() == 5
    assert told() == resets(Shelf, "shelf:", "inside:")


def test_keys_that_move_into_each_others_place_are_told(told):
    """A row that took the key of another is told with both its images."""
    Shelf.objects.bulk_create([Shelf(pk=20, inside_id=1), Shelf(pk=21, inside_id=2)])
    told.records()

    # From the highest on, where the database checks keys row by row.
    if connection.vendor == "sqlite":
        assert Shelf.objects.filter(pk__in=[20]).update(id=F("id") + 5) == 1
        assert told() == lines((Shelf, 20), "left", "shelf:20", "inside:1") | lines(
            (Shelf, 25), "entered", "shelf:25", "inside:1"
        )
    assert Shelf.objects.filter(pk__gte=21).update(id=F("id") + 100) >= 1
    assert lines((Shelf, 121), "entered", "shelf:121", "inside:2") <= told()


def test_update_whose_read_finds_nothing_still_runs(told, monkeypatch):
    """What the read found never decides whether the statement runs."""
    from invalidation.capture.orm.row_reader import RowReader

    Shelf.objects.create(pk=30)
    told.records()
    monkeypatch.setattr(RowReader, "select", lambda *args, **kwargs: {})

    assert Shelf.objects.filter(name="", pk__gte=30).update(name="late") == 1

    assert Shelf.objects.get(pk=30).name == "late"
    assert told() == resets(Shelf, "shelf:", "inside:")


@isolate_apps("tests.shop")
def test_set_expressions_may_name_columns_plainly(told):
    """The statement around the row of one key adds no column of a name that a table would have."""

    class Plain(models.Model):
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Plain, "box:{box}"):
        row = Plain.objects.create(pk=1, box=1)
        told.records()

        nine = models.expressions.RawSQL("box + 8", [])
        assert Plain.objects.filter(pk=1).update(box=nine) == 1
        assert told() == moved(row, ["box:1"], ["box:9"])

        below = Subquery(Plain.objects.filter(box=9).values("box")[:1])
        assert Plain.objects.filter(pk=1).update(box=below + 1) == 1
        assert told() == moved(row, ["box:9"], ["box:10"])


class Wordless:
    """A value without a text."""

    def __init__(self, number):
        self.number = number

    def __str__(self):
        raise TypeError("no text")


class WordlessField(models.IntegerField):
    """A field whose values in Python have no text."""

    def from_db_value(self, value, *_):
        return Wordless(value)

    def get_prep_value(self, value):
        return value.number if isinstance(value, Wordless) else value


@isolate_apps("tests.shop")
def test_key_without_a_text_resets(told):
    """The project's `__str__` raises; the write does not."""

    class Thing(models.Model):
        id = WordlessField(primary_key=True)
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Thing, "box:{box}"):
        Thing.objects.create(id=1, box=1)
        assert told.records()[-1] == resets(Thing, "box:")

        assert Thing.objects.update(box=2) == 1
        assert told() == resets(Thing, "box:")

        assert Thing.objects.all()._raw_delete("default") == 1
        assert told() == resets(Thing, "box:")


@isolate_apps("tests.shop")
def test_column_without_a_text_resets(told):
    """A topic needs its column's text."""

    class Thing(models.Model):
        box = WordlessField()

        class Meta:
            app_label = "shop"

    with table_of(Thing, "box:{box}"):
        Thing.objects.create(pk=1, box=1)
        assert told.records()[-1] == resets(Thing, "box:")


@pytest.mark.sqlite
@isolate_apps("tests.shop")
def test_trigger_of_another_connection_is_noticed(told):
    """An INSERT takes the write lock itself, so the schema is looked at again after it."""

    class Level(models.Model):
        box = models.IntegerField()

        class Meta:
            app_label = "shop"

    with table_of(Level, "box:{box}"):
        Level.objects.create(box=1)
        told.records()
        other = sqlite3.connect(connection.settings_dict["NAME"])
        other.execute(
            "CREATE TRIGGER raise_box AFTER INSERT ON shop_level"
            " BEGIN UPDATE shop_level SET box = 100 WHERE id = NEW.id; END"
        )
        other.close()

        with transaction.atomic():
            level = Level.objects.create(box=2)

        assert told() == lines(level, "entered", "box:100")
