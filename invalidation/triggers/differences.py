"""Compare the triggers in the project's migrations with those that the tracked models need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.migrations.loader import MigrationLoader

from invalidation.tracking.registry import declarations
from invalidation.tracking.write_plans import make_plans
from invalidation.triggers.helpers import create_helpers, drop_helpers
from invalidation.triggers.operations import HELPERS_MODEL, SetTriggers
from invalidation.triggers.tables import create_triggers, drop_triggers
from realtime.models import StoredRecord

Node = tuple[str, str]
"""A migration: its app's label, and its name."""


@dataclass(frozen=True, slots=True)
class TableTriggers:
    """The SQL of one table's triggers, or of the helper functions."""

    model: str
    table: str
    sql: tuple[str, ...]
    made_by: Node | None = None
    """The migration that contains it."""


def load_migrations() -> MigrationLoader:
    """Load the project's migrations from their files, without a database."""
    return MigrationLoader(None)


def made_triggers(loader: MigrationLoader) -> dict[str, TableTriggers]:
    """Return the newest triggers of each table in the migrations, by table name."""
    made = {}
    for node in _in_order(loader):
        for operation in loader.graph.nodes[node].operations:
            if isinstance(operation, SetTriggers):
                made[operation.table] = TableTriggers(
                    operation.model, operation.table, tuple(operation.sql), node
                )
    return made


def wanted_triggers() -> dict[str, TableTriggers]:
    """Return the triggers that the tracked models need, by table name; the helpers first."""
    plans = [plan for plan in make_plans(declarations()).values() if plan.declarations]
    tables = [
        TableTriggers(
            plan.model._meta.label_lower,
            plan.model._meta.db_table,
            tuple(create_triggers(plan).splitlines()),
        )
        for plan in sorted(plans, key=lambda plan: plan.model._meta.label_lower)
    ]
    helpers = TableTriggers(HELPERS_MODEL, _HELPERS_TABLE, tuple(create_helpers().splitlines()))
    return {triggers.table: triggers for triggers in ([helpers, *tables] if tables else [])}


def differences(loader: MigrationLoader) -> list[SetTriggers]:
    """Return the operations that bring the migrations up to date; none if they are."""
    made, wanted = made_triggers(loader), wanted_triggers()
    operations = [
        SetTriggers(t.model, t.table, t.sql, made[t.table].sql if t.table in made else _drop(t))
        for t in wanted.values()
        if t.table not in made or t.sql != made[t.table].sql
    ]
    gone = [t for t in made.values() if t.table not in wanted and t.sql != _drop(t)]
    # Helpers are dropped last, because triggers call them.
    gone.sort(key=lambda triggers: triggers.table == _HELPERS_TABLE)
    return [*(SetTriggers(t.model, t.table, _drop(t), t.sql) for t in gone), *operations]


_HELPERS_TABLE = StoredRecord._meta.db_table


def _drop(triggers: TableTriggers) -> tuple[str, ...]:
    helpers = triggers.table == _HELPERS_TABLE
    sql = drop_helpers() if helpers else drop_triggers(triggers.table)
    return tuple(sql.splitlines())


def _in_order(loader: MigrationLoader) -> Iterator[Node]:
    seen: set[Node] = set()
    for leaf in sorted(loader.graph.leaf_nodes()):
        for node in loader.graph.forwards_plan(leaf):
            if node not in seen:
                seen.add(node)
                yield node
