"""The migration operation that sets a table's triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

HELPERS_MODEL = "realtime.storedrecord"
"""The model that stands for the helper functions in migrations: they write its table."""


class SetTriggers(Operation):
    """Give the table of `model` the triggers in `sql`; backwards, those in `former`.

    Both are lines of SQL that the migration itself holds, so it does the same under any version of
    this package. On databases other than PostgreSQL, and on views, it does nothing.
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
        """Return name and arguments for the migration writer."""
        given = {"model": self.model, "table": self.table, "sql": self.sql, "former": self.former}
        return type(self).__qualname__, [], given

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the models' state as it is."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Run `sql`."""
        self._run(self.sql, schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Run `former`."""
        self._run(self.former, schema_editor)

    def describe(self) -> str:
        """Return the line that `migrate --plan` shows."""
        return f"Set the triggers that publish writes to {self.table}"

    @property
    def migration_name_fragment(self) -> str:
        """The name of a migration that holds only such operations."""
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
        # Views and foreign tables have none. A table that is gone may have left its function.
        if kind in {"r", "p", None}:
            # Without parameters, so that a percent sign stays one.
            schema_editor.execute("\n".join(sql).replace("@schema@", schema), params=None)
