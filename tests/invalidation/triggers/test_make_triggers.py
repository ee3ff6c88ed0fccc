"""The command `make_triggers`, and the check W003."""

from __future__ import annotations

import importlib
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from invalidation.tracking.registry import declarations, registry
from invalidation.triggers import checks, spelling
from invalidation.triggers.checks import check_triggers
from tests.invalidation.triggers.conftest import FIRST
from tests.shop.models import Shelf

OTHER_BOUND = {"MAX_ROWS": 5}


def make_triggers(*arguments, **options):
    """Run the command; return its output."""
    said = StringIO()
    call_command("make_triggers", *arguments, stdout=said, **options)
    importlib.invalidate_caches()
    return said.getvalue()


def written(folder):
    """Return the names of the migrations with triggers."""
    return sorted(path.stem for path in folder.glob("*.py") if "SetTriggers" in path.read_text())


def operations(folder, name):
    """Return the operations of a migration, by table."""
    module = importlib.import_module(f"{folder.name}.{name}")
    return {operation.table: operation for operation in module.Migration.operations}


def test_migration_holds_the_triggers_of_all_that_is_tracked(migrations):
    """The helpers come first; the migration depends on the tables' migrations."""
    assert "0002_livequery_triggers" in make_triggers("depot")

    (name,) = written(migrations)
    made = operations(migrations, name)
    tables = [declaration.model._meta.db_table for declaration in declarations()]
    assert next(iter(made)) == "realtime_storedrecord"
    assert made.keys() == {"realtime_storedrecord", *tables}
    dependencies = importlib.import_module(f"{migrations.name}.{name}").Migration.dependencies
    assert {("depot", "0001_initial"), ("demo_todo", "0001_initial")} < set(dependencies)
    assert "realtime" in dict(dependencies)


def test_made_triggers_are_up_to_date(migrations):
    """A second run has nothing to write."""
    make_triggers("depot")

    assert "up to date" in make_triggers("--check")
    assert "up to date" in make_triggers()
    assert check_triggers() == []
    assert len(written(migrations)) == 1


def test_triggers_that_do_not_fit_are_made_anew(migrations):
    """The new migration depends on the former; backwards it restores the former triggers."""
    make_triggers("depot")
    with override_settings(INVALIDATION=OTHER_BOUND):
        with pytest.raises(CommandError, match="shop_shelf"):
            make_triggers("--check")
        assert "0003_smaller" in make_triggers(name="smaller")
        assert "up to date" in make_triggers("--check")

    first, second = (operations(migrations, name) for name in written(migrations))
    assert second["shop_shelf"].former == first["shop_shelf"].sql != second["shop_shelf"].sql
    assert "realtime_storedrecord" not in second
    module = importlib.import_module(f"{migrations.name}.0003_smaller")
    assert ("depot", "0002_livequery_triggers") in module.Migration.dependencies


def test_triggers_of_models_that_are_no_longer_tracked_are_dropped(migrations, monkeypatch):
    """The triggers of the other tables stay."""
    make_triggers("depot")
    others = {m: d for m, d in registry.declarations.items() if m is not Shelf}
    monkeypatch.setattr(registry, "declarations", others)

    make_triggers()

    first, second = (operations(migrations, name) for name in written(migrations))
    assert list(second) == ["shop_shelf"]
    assert second["shop_shelf"].sql == first["shop_shelf"].former
    assert "up to date" in make_triggers("--check")


def test_dry_run_shows_the_migration(migrations):
    """It writes no file."""
    said = make_triggers("depot", dry_run=True)

    compile(said, "migration", "exec")
    assert "SetTriggers" in said
    assert written(migrations) == []


def test_check_fails_where_nothing_is_made_yet(migrations):
    """CI of a project that wants triggers can ask for them."""
    with pytest.raises(CommandError, match="make_triggers"):
        make_triggers("--check")


@pytest.mark.parametrize("app", [None, "shop", "nowhere"])
def test_app_must_be_one_with_migrations(app, migrations):
    """A migration in any other app would keep Django from creating its tables."""
    with pytest.raises(CommandError, match="app"):
        make_triggers(*([app] if app else []))


def test_name_must_be_an_identifier(migrations):
    """The name becomes a file's and a module's."""
    with pytest.raises(CommandError, match="name"):
        make_triggers("depot", name="../evil")


def test_project_without_triggers_is_not_warned(migrations):
    """Triggers are optional."""
    assert check_triggers() == []


def test_project_whose_triggers_do_not_fit_is_warned(migrations):
    """Every `manage.py check` reports W003."""
    make_triggers("depot")
    with override_settings(INVALIDATION=OTHER_BOUND):
        (problem,) = check_triggers()

    assert problem.id == "invalidation.W003"
    assert "shop_shelf" in problem.msg
    assert "make_triggers" in problem.hint


def test_project_without_the_driver_is_not_warned(migrations, monkeypatch):
    """A project without psycopg does not use PostgreSQL."""
    make_triggers("depot")

    def missing():
        raise ImproperlyConfigured("no psycopg")

    monkeypatch.setattr(spelling, "postgres_connection", missing)

    assert checks.check_triggers() == []


@pytest.mark.parametrize(
    "text",
    [
        'dependencies = [("missing", "__first__")]',
        'dependencies = [("missing", "0001_initial")]',
        'dependencies = [("depot", "0002_broken")]',
        "raise RuntimeError",
        "import missing_module",
        "no python",
    ],
    ids=["first of a missing app", "missing app", "itself", "raises", "import", "syntax"],
)
def test_migrations_that_do_not_load_do_not_fail_the_check(text, migrations):
    """`manage.py check` does not load them without this package."""
    (migrations / "0002_broken.py").write_text(FIRST.replace("pass", text))
    importlib.invalidate_caches()

    assert check_triggers() == []
    call_command("check", verbosity=0)
