"""The squashed migration, on databases with none, some or all of those that it replaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings

from realtime.models import OutboxRecord, StoredRecord

ALIAS = "migrating"
OLD = ["0001_initial", "0002_transaction_ids", "0003_outbox"]
SQUASHED = "0001_squashed_0003_outbox"
DEPENDENT = f"""
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {[("realtime", name) for name in OLD]}
"""


@pytest.fixture
def database(
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """A database without any table, of the kind that the tests run on."""
    name = f"migrating_{os.getpid()}"
    with django_db_blocker.unblock(), ExitStack() as stack:
        if connection.vendor == "postgresql":
            _execute(f'CREATE DATABASE "{name}"')
            stack.callback(_execute, f'DROP DATABASE "{name}"')
        else:
            name = str(tmp_path / "db.sqlite3")
        settings = connections.settings["default"] | {"NAME": name}
        monkeypatch.setitem(connections.settings, ALIAS, settings)
        stack.callback(connections.__delitem__, ALIAS)
        yield connections[ALIAS]
        connections[ALIAS].close()


@pytest.fixture
def dependent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app whose migration depends on each of the old names, as migrations with triggers do."""
    package = tmp_path / "old_dependent"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "0001_initial.py").write_text(DEPENDENT)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(MIGRATION_MODULES={"demo_todo": "old_dependent"}):
        yield "demo_todo"


@pytest.mark.parametrize("applied", [0, 1, 2, 3])
def test_every_database_comes_to_the_same_tables(
    database: Any, dependent: str, applied: int
) -> None:
    """With what was stored there, one first record, and nothing left to apply."""
    _migrate_as_before(database, OLD[:applied])
    stored = list(StoredRecord.objects.using(ALIAS).values_list("token")) if applied == 3 else []

    executor = MigrationExecutor(database)
    leaves = [*executor.loader.graph.leaf_nodes("realtime"), (dependent, "0001_initial")]
    executor.migrate(leaves)

    after = MigrationExecutor(database)
    names = {name for app, name in after.recorder.applied_migrations() if app == "realtime"}
    assert names == {*OLD, SQUASHED}
    assert after.migration_plan([("realtime", SQUASHED), (dependent, "0001_initial")]) == []
    (first,) = StoredRecord.objects.using(ALIAS).all()
    assert [(first.token,)] == stored or not stored
    assert (first.xid is not None) == (database.vendor == "postgresql")
    assert OutboxRecord.objects.using(ALIAS).count() == 0
    assert "realtime_record_xid" in _indexes(database)


def test_a_database_that_has_applied_all_has_nothing_to_do(database: Any) -> None:
    """`migrate` notes that the squashed migration is applied, and runs none."""
    _migrate_as_before(database, OLD)

    assert MigrationExecutor(database).migration_plan([("realtime", SQUASHED)]) == []


def test_it_makes_the_models_that_the_old_ones_made() -> None:
    """The state that further migrations begin with is the same."""
    old = MigrationLoader(None, replace_migrations=False).project_state(("realtime", OLD[-1]))
    new = MigrationLoader(None).project_state(("realtime", SQUASHED))

    for name in ("storedrecord", "outboxrecord"):
        before, after = (state.models["realtime", name] for state in (old, new))
        assert before.options == after.options
        assert {name: field.deconstruct() for name, field in before.fields.items()} == {
            name: field.deconstruct() for name, field in after.fields.items()
        }


def _migrate_as_before(database: Any, names: list[str]) -> None:
    """Apply old migrations as a version without the squashed one did."""
    executor = MigrationExecutor(database)
    executor.loader = MigrationLoader(database, replace_migrations=False)
    executor.migrate([("realtime", name) for name in names])
    executor.recorder.record_unapplied("realtime", SQUASHED)


def _indexes(database: Any) -> set[str]:
    with database.cursor() as cursor:
        return set(database.introspection.get_constraints(cursor, StoredRecord._meta.db_table))


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
