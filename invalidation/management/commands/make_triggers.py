"""`manage.py make_triggers`: write a migration with PostgreSQL triggers for tracked models."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.writer import MigrationWriter

from invalidation.triggers.differences import (
    Node,
    differences,
    load_migrations,
    made_triggers,
)
from invalidation.triggers.operations import SetTriggers


class Command(BaseCommand):
    """Write a migration with PostgreSQL triggers, which publish the writes of other programs."""

    help = (
        "Write a migration with PostgreSQL triggers for every tracked model, which publish the"
        " writes of other programs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument(
            "app", nargs="?", help="the app that the migration goes to; by default, where one is"
        )
        parser.add_argument("--name", help="the migration's name, without its number")
        parser.add_argument("--dry-run", action="store_true", help="show the migration only")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if a migration is missing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or show the migration; with --check, fail if one is missing."""
        loader = load_migrations()
        operations = differences(loader)
        if not operations:
            self.stdout.write("The triggers are up to date.")
        elif options["check"]:
            tables = ", ".join(operation.table for operation in operations)
            raise CommandError(f"Triggers out of date: {tables}. Run manage.py make_triggers.")
        else:
            app = options["app"] or _app_with_triggers(loader)
            self._write(_migration(app, options["name"], operations, loader), options)

    def _write(self, migration: Migration, options: dict[str, Any]) -> None:
        writer = MigrationWriter(migration)
        if options["dry_run"]:
            self.stdout.write(writer.as_string())
            return
        Path(writer.path).write_text(writer.as_string(), encoding="utf-8")
        self.stdout.write(f"Wrote {writer.path}. Run manage.py migrate.")


def _app_with_triggers(loader: MigrationLoader) -> str:
    apps = {made.made_by[0] for made in made_triggers(loader).values() if made.made_by}
    if len(apps) != 1:
        raise CommandError(
            "Expected the label of the app that the migration goes to: manage.py make_triggers APP"
        )
    return apps.pop()


def _migration(
    app: str, name: str | None, operations: list[SetTriggers], loader: MigrationLoader
) -> Migration:
    if app not in loader.migrated_apps:
        raise CommandError(f"Expected the label of an app with migrations, got {app!r}.")
    own = _leaf(app, loader)
    name = name or "livequery_triggers"
    if not name.isidentifier():
        raise CommandError(f"Expected a name like 'livequery_triggers', got {name!r}.")
    contents = {
        "operations": list(operations),
        "dependencies": sorted(_dependencies(own, operations, loader)),
    }
    made: type[Migration] = type("Migration", (Migration,), contents)
    return made(f"{_number_after(own[1]):04}_{name}", app)


def _dependencies(
    own: Node, operations: list[SetTriggers], loader: MigrationLoader
) -> set[tuple[str, str]]:
    """Return the migrations of the tables, and those of the former triggers."""
    apps = {"realtime", *(operation.model.partition(".")[0] for operation in operations)}
    tables = {_leaf(app, loader) for app in apps & loader.migrated_apps}
    former = {made.made_by for made in made_triggers(loader).values() if made.made_by}
    return {own, *tables, *former}


def _leaf(app: str, loader: MigrationLoader) -> Node:
    leaves: list[Node] = loader.graph.leaf_nodes(app)
    if len(leaves) != 1:
        raise CommandError(f"Expected one last migration of {app}, got {leaves}; merge them first.")
    return leaves[0]


def _number_after(name: str) -> int:
    number = re.match(r"\d+", name)
    return int(number.group()) + 1 if number else 1
