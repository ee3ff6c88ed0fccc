"""The databases on which writes are measured, filled and ready.

The disk takes the same time to make a commit safe with the app as without it. Where commits wait
for the disk, as on PostgreSQL by default, the app's share is smaller. Where they do not, as on
SQLite with the demo's settings, it is larger. So each database is measured both ways.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.postgres import Postgres

ROWS = 100_000

DATABASES = {
    "sqlite": "SQLite, WAL, synchronous=NORMAL, the demo's settings: commits do not wait",
    "sqlite-fsync": "SQLite, WAL, synchronous=FULL: commits wait for the disk",
    "postgresql": "PostgreSQL, its defaults: commits wait for the disk",
    "postgresql-careless": "PostgreSQL, fsync and synchronous_commit off: commits do not wait",
}
"""Descriptions of the databases, by alias."""


@contextmanager
def databases(aliases: list[str]) -> Iterator[None]:
    """Set Django up with these databases, each with its tables filled."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(durable=True) as durable,
        Postgres() as careless,
    ):
        _set_up(
            {
                "default": {},
                "sqlite": _sqlite(Path(folder) / "normal.sqlite3"),
                "sqlite-fsync": _sqlite(Path(folder) / "full.sqlite3", synchronous="FULL"),
                "postgresql": _postgresql(durable),
                "postgresql-careless": _postgresql(careless),
            }
        )
        from django.db import connections

        from invalidation import quiet

        for alias in aliases:
            with quiet(reset=False):
                _fill(alias)
        yield
        connections.close_all()


def _sqlite(file: Path, synchronous: str = "NORMAL") -> dict[str, Any]:
    os.environ.pop("DATABASE_URL", None)  # the demo's settings would use that one
    from demo_todo.settings import DATABASES as DEMO

    options = DEMO["default"]["OPTIONS"]
    command = options["init_command"].replace("synchronous=NORMAL", f"synchronous={synchronous}")
    assert f"synchronous={synchronous}" in command, command
    return DEMO["default"] | {"NAME": file, "OPTIONS": options | {"init_command": command}}


def _postgresql(server: Postgres) -> dict[str, Any]:
    import dj_database_url

    return dict(dj_database_url.parse(server.url))


def _set_up(configured: dict[str, Any]) -> None:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES=configured,
        INSTALLED_APPS=["realtime", "invalidation", "benchmarks"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def _fill(alias: str) -> None:
    from django.core.management import call_command
    from django.db import connections

    from benchmarks.models import Imageless, List, Person, Tracked, Untracked
    from benchmarks.orm_works import LISTS, PEOPLE, new_rows

    call_command("migrate", database=alias, verbosity=0, run_syncdb=True)
    List.objects.using(alias).bulk_create(List(name=f"List {n}") for n in range(LISTS))
    Person.objects.using(alias).bulk_create(Person(name=f"Person {n}") for n in range(PEOPLE))
    Untracked.objects.using(alias).bulk_create(new_rows(Untracked, ROWS))
    columns = ", ".join(f.column for f in Untracked._meta.local_fields if not f.primary_key)
    same = f"SELECT {columns} FROM {Untracked._meta.db_table} ORDER BY id"
    with connections[alias].cursor() as cursor:
        for model in (Tracked, Imageless):
            cursor.execute(f"INSERT INTO {model._meta.db_table} ({columns}) {same}")
        cursor.execute("VACUUM")
        cursor.execute("ANALYZE")
