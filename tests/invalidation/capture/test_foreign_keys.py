"""Foreign keys with actions that only the database's catalogue tells of."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F

from invalidation.capture.catalogue import foreign_keys
from invalidation.checks import check_catalogue
from invalidation.tracking import cascades
from invalidation.tracking import registry as tracking
from invalidation.tracking.cascades import Cascade, Event, reached
from tests.invalidation.capture.raw import SHELVES, execute, raw_resets
from tests.invalidation.told import lines, resets
from tests.shop.models import Shelf, Sticker

pytestmark = pytest.mark.django_db(transaction=True)

STICKERS = resets(Sticker, "stuck:")


def key(target: str, actions: str) -> str:
    """Return the column of a foreign key with actions."""
    return f"board_id bigint REFERENCES {target} (id) {actions}"


@pytest.fixture
def sticker_table(shelves, lamp):
    """Return a function that makes the stickers' table anew, with another foreign key."""
    lamp.delete()

    def make(target, actions):
        execute("DROP TABLE shop_sticker")
        execute(f"CREATE TABLE shop_sticker (id bigint PRIMARY KEY, {key(target, actions)})")

    yield make
    connection.close()
    execute("DROP TABLE IF EXISTS shop_sticker")
    execute("DROP TABLE IF EXISTS between_tables")
    with connection.schema_editor() as editor:
        editor.create_model(Sticker)


@pytest.fixture
def cascading(sticker_table, told):
    """Let the database itself change stickers with the shelves that they refer to."""
    sticker_table("shop_shelf", "ON UPDATE CASCADE ON DELETE SET NULL")
    execute("INSERT INTO shop_sticker (id, board_id) VALUES (1, 1)")
    told.records()
    return told


def test_changed_key_resets_the_models_that_refer_to_it(cascading):
    """The database changes their columns."""
    Shelf.objects.filter(pk=1).update(id=F("id") + 10)

    assert Sticker.objects.get().board_id == 11
    assert cascading() >= STICKERS | lines((Shelf, 1), "left") | lines((Shelf, 11), "entered")


def test_changed_column_that_is_not_referenced_resets_nothing(cascading):
    """The database does nothing then."""
    Shelf.objects.filter(pk=1).update(name="new")

    assert cascading() == lines((Shelf, 1), "updated", "shelf:1")


def test_deleted_row_resets_the_models_that_refer_to_it(cascading):
    """No model tells of this foreign key."""
    Shelf.objects.filter(pk=1)._raw_delete("default")

    assert Sticker.objects.get().board_id is None
    assert cascading() == STICKERS | lines((Shelf, 1), "left", "shelf:1")


def test_raw_sql_resets_the_models_that_refer_to_its_table(cascading):
    """With the models of the table itself."""
    execute("DELETE FROM shop_shelf WHERE id = 1")

    assert cascading() == SHELVES | raw_resets(Sticker, "stuck:")


def test_cascade_through_a_table_without_a_model_is_followed(sticker_table, told):
    """Raw SQL on that table resets too."""
    execute(f"CREATE TABLE between_tables (id bigint PRIMARY KEY, {CASCADE})")
    sticker_table("between_tables", "ON DELETE CASCADE")
    execute("INSERT INTO between_tables (id, board_id) VALUES (5, 1), (6, 2)")
    execute("INSERT INTO shop_sticker (id, board_id) VALUES (1, 5), (2, 6)")
    told.records()

    Shelf.objects.filter(pk=1)._raw_delete("default")
    assert told() == STICKERS | lines((Shelf, 1), "left", "shelf:1")
    execute("DELETE FROM between_tables")
    assert told() == raw_resets(Sticker, "stuck:")
    assert not Sticker.objects.exists()


CASCADE = key("shop_shelf", "ON DELETE CASCADE")


def test_dropped_foreign_key_is_forgotten(cascading, sticker_table):
    """The catalogue is read again after DDL."""
    sticker_table("shop_shelf", "")
    cascading.records()

    Shelf.objects.filter(pk=1)._raw_delete("default")

    assert cascading() == lines((Shelf, 1), "left", "shelf:1")


def test_foreign_key_whose_drop_is_rolled_back_is_not_forgotten(cascading, sticker_table):
    """DDL is a part of its transaction on both databases."""
    with transaction.atomic():
        sticker_table("shop_shelf", "")
        transaction.set_rollback(True)

    Shelf.objects.filter(pk=1)._raw_delete("default")

    assert cascading() >= STICKERS


def test_check_lists_what_the_database_does(cascading):
    """`manage.py check --database default` reports I001; without a database nothing is read."""
    (problem,) = [each for each in check_catalogue(["default"]) if "shop_shelf" in each.msg]

    assert problem.id == "invalidation.I001"
    assert "shop_sticker" in problem.msg
    assert "are deleted or change in id" in problem.msg
    assert Sticker._meta.label_lower in problem.msg
    assert check_catalogue() == []
    assert problem in run_checks(databases=["default"])


def test_catalogue_is_read_once_a_process(monkeypatch, db):
    """Not by each connection, and not while nothing is tracked."""
    read = []
    original = foreign_keys.read_catalogue
    monkeypatch.setattr(foreign_keys, "read_catalogue", lambda c: read.append(1) or original(c))
    monkeypatch.setattr(foreign_keys, "_read_at", {})
    for _ in range(2):
        connection.close()
        connection.ensure_connection()
    assert read == [1]

    monkeypatch.setattr(foreign_keys, "_read_at", {})
    monkeypatch.setattr(tracking, "registry", tracking.Registry())
    connection.close()
    connection.ensure_connection()
    execute("CREATE TABLE between_tables (id bigint)")
    execute("DROP TABLE between_tables")
    assert read == [1]


def test_catalogue_that_cannot_be_read_keeps_no_connection_from_opening(monkeypatch, caplog):
    """It is logged."""

    def refuse(_):
        raise RuntimeError("permission denied")

    monkeypatch.setattr(foreign_keys, "read_catalogue", refuse)
    monkeypatch.setattr(foreign_keys, "_read_at", {})
    connection.close()

    assert MigrationRecorder(connection).has_table()
    assert "cannot read the foreign keys" in caplog.text


def cascade(table, target, on_delete=None, on_update=False, to=("id",)):
    """Make a cascade of the column `fk`."""
    return Cascade.of((table, ["fk"]), (target, to), on_delete, on_update)


def test_deletions_and_changes_are_followed_from_table_to_table():
    """A row that is set to null is changed, not deleted."""
    known = {
        cascade("b", "a", "delete"),
        cascade("c", "b", "set"),
        cascade("d", "c", "delete"),
        cascade("e", "c", on_update=True, to=("fk",)),
        cascade("f", "c", on_update=True, to=("other",)),
        cascade("a", "b", "delete"),
    }

    assert reached(Event("a"), known) == {"b", "c", "e"}
    assert reached(Event("c"), known) == {"d"}
    assert reached(Event("c", frozenset({"fk"})), known) == {"e"}
    assert reached(Event("c", frozenset({"id"})), known) == set()


def test_cascade_of_one_database_counts_for_all():
    """A model may be written on several."""
    known = cascades.Catalogue()
    one, other = cascade("b", "a", "delete"), cascade("c", "a", "delete")
    known.learn("one", frozenset({one}))
    known.learn("other", frozenset({other}))
    assert known.known == {one, other}
    before = known.known
    known.learn("other", frozenset({other}))
    assert known.known is before
    known.learn("other", frozenset())
    assert known.known == {one}
