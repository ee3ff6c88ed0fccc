"""`flush` for tests: Django empties the database with it after each test that commits.

TRUNCATE and the post_migrate signal take PostgreSQL 150 ms, where a test takes ten. So rows are
deleted, and Django's rows about models stay, since they would be created again unchanged.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import connections

KEPT = {"django_content_type", "auth_permission"}


class Command(flush.Command):
    """Delete the rows of all tables, unseen by triggers and by capture."""

    def handle(self, **options: Any) -> None:
        """Run all statements at once, outside of Django's cursors."""
        assert not options["interactive"], "this command is for tests and never asks"
        connection = connections[options["database"]]
        tables = connection.introspection.django_table_names(only_existing=True)
        deletes = [f'DELETE FROM "{table}"' for table in sorted(set(tables) - KEPT)]
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            begin = ["BEGIN", "SET LOCAL session_replication_role = replica"]
            connection.connection.execute("; ".join([*begin, *deletes, "COMMIT"]))
        else:
            # Its foreign keys are deferred, and it has no triggers but a test's own.
            connection.connection.executescript("; ".join(["BEGIN", *deletes, "COMMIT"]))
