"""The migration operation, forwards and backwards."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, router
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from invalidation.triggers.operations import SetTriggers
from tests.invalidation.postgres.other_program import run, without_triggers
from tests.invalidation.told import lines
from tests.invalidation.triggers.test_make_triggers import OTHER_BOUND, make_triggers
from tests.shop.models import Shelf

pytestmark = pytest.mark.django_db(transaction=True)

COUNTS = """
SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'livequery%'),
       (SELECT count(*) FROM pg_proc WHERE proname LIKE 'livequery%')
"""


def migrate(name):
    """Migrate the depot app to a migration."""
    call_command("migrate", "depot", name, verbosity=0)


def counts():
    """Return the number of triggers and of functions."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return cursor.fetchone()


@pytest.mark.sqlite
def test_other_databases_have_no_triggers(migrations):
    """On other databases the operation does nothing, in both directions."""
    make_triggers("depot")
    try:
        migrate("0002_livequery_triggers")
    finally:
        migrate("zero")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
        assert cursor.fetchone() == (0,)


@pytest.fixture
def bare(transactional_db):
    """Start with a database without triggers."""
    with without_triggers():
        yield


@pytest.mark.postgres
@pytest.mark.usefixtures("bare")
def test_migrations_make_and_change_and_drop_triggers(migrations, told):
    """Each step backwards restores the former triggers."""
    make_triggers("depot")
    with override_settings(INVALIDATION=OTHER_BOUND):
        make_triggers(name="smaller")
    insert = "INSERT INTO shop_shelf (id, name) SELECT i, '' FROM generate_series({}) AS i"
    try:
        migrate("0002")
        made = counts()
        told.records()
        run(insert.format("1, 6"))
        rows = {line for i in range(1, 7) for line in shelf(i)}
        assert told() == rows

        migrate("0003")
        told.records()
        run(insert.format("11, 16"))
        assert {line.split()[1] for line in told()} == {"reset"}

        migrate("0002")
        told.records()
        run(insert.format("21, 21"))
        assert told() == shelf(21)
        assert counts() == made
    finally:
        migrate("zero")
    assert counts() == (0, 0)
    told.records()
    run(insert.format("31, 31"))
    assert told.records() == []


def shelf(pk):
    """Return the lines of a new shelf."""
    return lines((Shelf, pk), "entered", f"shelf:{pk}")


@pytest.mark.postgres
def test_sql_of_a_migration_can_be_shown(migrations):
    """`sqlmigrate` prints it, for projects that run SQL by hand."""
    make_triggers("depot")
    shown = StringIO()

    call_command("sqlmigrate", "depot", "0002", stdout=shown)

    assert 'CREATE OR REPLACE TRIGGER livequery_insert AFTER INSERT ON "shop_shelf"' in (
        shown.getvalue()
    )
    assert "@schema@" not in shown.getvalue()


@pytest.mark.postgres
def test_views_are_left_alone():
    """Views cannot have such triggers."""
    operation = SetTriggers("shop.seen", "seen", ["SELECT 1 / 0"], ["SELECT 1 / 0"])
    with connection.schema_editor() as editor:
        editor.execute("CREATE TEMP VIEW seen AS SELECT 1")
        operation.database_forwards("shop", editor, None, None)
        operation.database_backwards("shop", editor, None, None)


def test_model_of_another_database_is_left_alone(monkeypatch):
    """The routers' `allow_migrate` decides."""
    asked = []

    def refuse(alias, app_label, **hints):
        asked.append((app_label, hints))
        return False

    monkeypatch.setattr(router, "allow_migrate", refuse)
    monkeypatch.setattr(connection, "vendor", "postgresql")
    operation = SetTriggers("shop.shelf", "shop_shelf", ["SELECT 1 / 0"], [])
    with connection.schema_editor() as editor, CaptureQueriesContext(connection) as queries:
        operation.database_forwards("other", editor, None, None)

    assert asked == [("shop", {"model_name": "shelf"})]
    assert len(queries) == 0


def test_operation_says_what_it_does():
    """`migrate --plan` names the table."""
    operation = SetTriggers("shop.shelf", "shop_shelf", ["SELECT 1"], [])

    assert "shop_shelf" in operation.describe()
    assert operation.migration_name_fragment == "livequery_triggers"
