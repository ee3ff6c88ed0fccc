"""What stands in a migration that makes triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

HELPERS = "realtime.storedrecord"
"""The model that the functions belong to which all triggers share: they write its table."""


class SetTriggers(Operation):
    """Give the table of `model` the triggers in `sql`; backwards, those in `former`.

    Both are lines of SQL, held by the migration itself: it does the same whatever version runs it.
    Other databases than PostgreSQL, and views, have no such triggers: nothing is done there.
    """

    reduces_to_sql = True
    reversible = True
    serialization_expand_args = ["sql", "former"]  # noqa: RUF012 -- a list, as Django has it

    def __init__(self, model: str, table: str, sql: Sequence[str], former: Sequence[str]) -> None:
        self.model = model
        self.table = table
        self.sql = list(sql)
        self.former = list(former)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Return what the migration's writer writes."""
        given = {"model": self.model, "table": self.table, "sql": self.sql, "former": self.former}
        return type(self).__qualname__, [], given

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the models as they are."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Make the triggers."""
        self._run(self.sql, schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Make the former ones, or none."""
        self._run(self.former, schema_editor)

    def describe(self) -> str:
        """Say what it does, for `migrate --plan`."""
        return f"Set the triggers that tell of writes to {self.table}"

    @property
    def migration_name_fragment(self) -> str:
        """Name a migration of nothing else."""
        return "livequery_triggers"

    def _run(self, sql: Sequence[str], schema_editor: BaseDatabaseSchemaEditor) -> None:
        connection = schema_editor.connection
        app_label, _, name = self.model.partition(".")
        if connection.vendor != "postgresql" or not router.allow_migrate(
            connection.alias, app_label, model_name=name
        ):
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT quote_ident(current_schema()), (SELECT relkind FROM pg_class"
                " WHERE oid = to_regclass(%s))",
                [connection.ops.quote_name(self.table)],
            )
            schema, kind = cursor.fetchone()
        # There are none on views, nor on foreign tables. A table that is gone has functions still.
        if kind in {"r", "p", None}:
            # Without parameters: a percent sign is just that.
            schema_editor.execute("\n".join(sql).replace("@schema@", schema), params=None)
