"""Writes on a database that does not store the messages."""

from __future__ import annotations

import pytest
from django.db import connection, connections, transaction

from tests.invalidation.told import lines
from tests.shop.models import Shelf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(name, monkeypatch):
    """Return the alias of a second database with the shop's shelves."""
    settings = {**connections.settings["default"], "NAME": name}
    monkeypatch.setitem(connections.settings, "other", settings)
    # By hand, since Django's test case refuses databases that are not in `databases`.
    connections["other"].connect()
    with connections["other"].schema_editor() as editor:
        editor.create_model(Shelf)
    yield "other"
    connections["other"].close()
    del connections["other"]


@pytest.fixture
def name(tmp_path):
    """Return the name of an empty database on the default one's server."""
    if connection.vendor == "sqlite":
        yield str(tmp_path / "other.sqlite3")
        return
    name = f"{connection.settings_dict['NAME']}_other"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield name
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_write_on_another_database_is_told(other, told):
    """The database is that of `using=`, or the object's."""
    shelf = Shelf.objects.using(other).create(pk=11)
    assert told() == lines(shelf, "entered", "shelf:11")

    shelf.save()
    assert told() == lines(shelf, "updated", "shelf:11")

    Shelf.objects.using(other).update(name="x")
    assert told() == lines(shelf, "updated", "shelf:11")

    Shelf.objects.using(other)._raw_delete(other)
    assert told() == lines((Shelf, 11), "left", "shelf:11")


def test_rows_are_read_where_they_are_written(other, told):
    """A row with the same key on the default database is not read."""
    Shelf.objects.filter(pk=1).update(name="here")
    told.records()

    assert Shelf.objects.using(other).filter(pk=1).update(name="there") == 0

    assert told.records() == []


def test_transactions_of_two_databases_are_told_apart(other, told):
    """One rolls back, the other commits."""
    with transaction.atomic():
        Shelf.objects.create(pk=11)
        with transaction.atomic(using=other):
            Shelf.objects.using(other).create(pk=12)
            transaction.set_rollback(True, using=other)
        Shelf.objects.create(pk=13)

    expected = [lines((Shelf, pk), "entered", f"shelf:{pk}") for pk in (11, 13)]
    assert told() == expected[0] | expected[1]
