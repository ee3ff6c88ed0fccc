"""The seam under every ORM write: the execute methods of the insert, update and delete compilers.

For a table with a write plan it reads the rows before and after the write and adds the Changes to
the transaction's journal. Where the rows cannot be known it notes that instead, and the topics
that they may belong to are reset. For any other table it costs one dict lookup.

Django 6 has a second method that updates, `execute_returning_sql`, which calls `execute_sql` on the
same compiler for plain values. So a compiler that is being captured is not captured again. The mark
is on the compiler, not on the thread: the update of a multi-table child runs its parent's update on
another compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models.constants import OnConflict
from django.db.models.sql.compiler import (
    SQLCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)

from invalidation.capture.orm.deletes import delete
from invalidation.capture.orm.inserts import insert
from invalidation.capture.orm.postgres_upserts import upsert_on_postgresql
from invalidation.capture.orm.row_reader import Unreadable
from invalidation.capture.orm.sqlite_upserts import upsert_on_sqlite
from invalidation.capture.orm.step_back import can_be_captured
from invalidation.capture.orm.updates import update
from invalidation.capture.orm.write import Write
from invalidation.conf import conf
from invalidation.quiet import is_quiet, quiet_entries
from invalidation.tracking.registry import plan_of
from invalidation.transactions.atomic import ensure_transaction
from invalidation.transactions.journal import journal_of

WriteHandler = Callable[[Write], Any]
"""Runs a write, notes its changes, and returns the value that Django expects."""

_WRAPPED = "__wrapped_by_invalidation__"
_BEING_CAPTURED = "_invalidation_capturing"


def install() -> None:
    """Wrap the compilers' methods; a second call does nothing."""
    for compiler, name, handler in (
        (SQLInsertCompiler, "execute_sql", _insert),
        (SQLUpdateCompiler, "execute_sql", update),
        (SQLUpdateCompiler, "execute_returning_sql", update),
        (SQLDeleteCompiler, "execute_sql", delete),
    ):
        original = getattr(compiler, name, None)
        if original is not None and not hasattr(original, _WRAPPED):
            # The delete compiler inherits the method; wrapping it on this class leaves reads alone.
            setattr(compiler, name, _wrap(original, handler))


def _wrap(original: Callable[..., Any], handler: WriteHandler) -> Any:
    returns_rows = original.__name__ == "execute_returning_sql"

    @wraps(original)
    def execute(self: SQLCompiler, *args: Any, **kwargs: Any) -> Any:
        model = self.query.model
        plan = plan_of(model) if model else None
        if plan is None or getattr(self, _BEING_CAPTURED, False):
            return original(self, *args, **kwargs)
        asked: Any = args[0] if args else next(iter(kwargs.values()), None)
        write = Write(self, plan, lambda: original(self, *args, **kwargs), asked, returns_rows)
        setattr(self, _BEING_CAPTURED, True)
        try:
            return _write(write, handler)
        finally:
            setattr(self, _BEING_CAPTURED, False)

    setattr(execute, _WRAPPED, True)
    return execute


def _write(write: Write, handler: WriteHandler) -> Any:
    with ensure_transaction(write.connection):
        if is_quiet():
            result = write.run()
            journal_of(write.connection).add(quiet_entries(write.plan))
            return result
        try:
            return handler(write)
        except BaseException as error:
            # It is unknown how much was written. The rollback that follows drops this entry too,
            # unless the caller has autocommit off and carries on.
            write.note_unknown(write.plan.declarations)
            if isinstance(error, Unreadable) and error.__cause__:
                raise error.__cause__  # noqa: B904 -- Django's own error
            raise


def _insert(write: Write) -> Any:
    query = write.compiler.query
    is_upsert = query.on_conflict is OnConflict.UPDATE
    if is_upsert:
        updated = [str(field.column) for field in query.update_fields]
        write.note_unknown(write.plan.cascaded_by_update(updated))
    if len(query.objs) > conf.MAX_ROWS or not can_be_captured(write):
        return write.run_and_reset()
    if not is_upsert:
        return insert(write)
    on_sqlite = write.connection.vendor == "sqlite"
    return upsert_on_sqlite(write) if on_sqlite else upsert_on_postgresql(write)
