"""The app's `ready()` installs capture."""

from __future__ import annotations

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import (
    SQLAggregateCompiler,
    SQLCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)

WRITERS = (SQLInsertCompiler, SQLUpdateCompiler, SQLDeleteCompiler)
ENDS = ("savepoint", "savepoint_commit", "savepoint_rollback", "set_autocommit")
ENDS += ("commit", "rollback", "close", "connect")


def wrapped():
    """Return every wrapped method."""
    methods = [compiler.execute_sql for compiler in WRITERS]
    return [*methods, *(getattr(BaseDatabaseWrapper, name) for name in ENDS)]


def test_starting_again_wraps_nothing_twice():
    """`ready()` may run more than once, in tests or on a reload."""
    before = wrapped()

    apps.get_app_config("invalidation").ready()

    assert wrapped() == before
    assert all(hasattr(method, "__wrapped_by_invalidation__") for method in before)
    assert not any(hasattr(m.__wrapped__, "__wrapped_by_invalidation__") for m in before)


def test_reads_are_left_alone():
    """The delete compiler inherits `execute_sql` from the base class, which stays Django's."""
    assert not hasattr(SQLCompiler.execute_sql, "__wrapped_by_invalidation__")
    assert not hasattr(SQLAggregateCompiler.execute_sql, "__wrapped_by_invalidation__")


def test_declarations_were_found():
    """The live.py of every app is imported, as the admin imports admin.py."""
    from invalidation.tracking.registry import declarations

    labels = {declaration.label for declaration in declarations()}

    assert {"shop.product", "demo_todo.task"} <= labels
