"""The seam under every ORM write: `execute_sql` of the insert, update and delete compilers.

For a tracked model it reads the rows before, lets the write run, reads them after, and hands the
Changes to the transaction's journal. Where it cannot know the rows it notes that instead, and the
model's topics are reset. For a model that nobody tracks it costs one look into a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import (
    SQLCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)

from invalidation.capture.images import pk_text, read_matching, read_rows, take_write_lock
from invalidation.changes import Change, Image, Unknown
from invalidation.commit import Entry, journal_of
from invalidation.conf import conf
from invalidation.tracking import Declaration, declaration_of
from realtime.messages import Reset

Run = Callable[[], Any]
Writer = Callable[[Any, Declaration, Run], tuple[Any, Iterable[Entry]]]
"""Runs a write and returns its result with what it changed."""


def install() -> None:
    """Wrap the three methods; a second call does nothing."""
    for compiler, writer in (
        (SQLInsertCompiler, _insert),
        (SQLUpdateCompiler, _update),
        (SQLDeleteCompiler, _delete),
    ):
        original = compiler.execute_sql
        if not hasattr(original, "__wrapped_by_invalidation__"):
            # The delete compiler inherits the method: wrapped here, reads stay untouched.
            compiler.execute_sql = _capturing(original, writer)  # type: ignore[method-assign]


def _capturing(original: Callable[..., Any], writer: Writer) -> Any:
    @wraps(original)
    def execute_sql(self: SQLCompiler, *args: Any, **kwargs: Any) -> Any:
        declaration = declaration_of(self.query.model) if self.query.model else None
        if declaration is None:
            return original(self, *args, **kwargs)
        with _transaction(self.connection):
            result, entries = writer(self, declaration, lambda: original(self, *args, **kwargs))
            journal_of(self.connection).add(entries)
        return result

    execute_sql.__wrapped_by_invalidation__ = True  # type: ignore[attr-defined]
    return execute_sql


def _transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Make write and stored message one unit, where the writer has no transaction of its own."""
    if connection.in_atomic_block or not connection.get_autocommit():
        return nullcontext()
    return transaction.atomic(using=connection.alias, savepoint=False)


def _insert(
    compiler: SQLInsertCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Iterable[Entry]]:
    result = run()
    pks = _inserted_pks(compiler, result)
    if pks is None or len(pks) > conf.MAX_ROWS:
        return result, [Unknown(declaration.model, Reset.BULK)]
    after = read_rows(declaration, pks, compiler.connection.alias)
    return result, _changes(declaration, {}, after)


def _update(
    compiler: SQLUpdateCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Iterable[Entry]]:
    if not compiler.query.values:
        # The frame around updates of parent tables, which come by on their own.
        return run(), []
    alias = compiler.connection.alias
    take_write_lock(compiler.connection, declaration.model)
    before = read_matching(compiler.query, declaration, alias)
    result = run()
    if before is None or any(field.primary_key for field, *_ in compiler.query.values):
        return result, [Unknown(declaration.model, Reset.BULK)]
    return result, _changes(declaration, before, read_rows(declaration, before, alias))


def _delete(
    compiler: SQLDeleteCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Iterable[Entry]]:
    take_write_lock(compiler.connection, declaration.model)
    before = read_matching(compiler.query, declaration, compiler.connection.alias)
    result = run()
    if before is None:
        return result, [Unknown(declaration.model, Reset.BULK)]
    return result, _changes(declaration, before, {})


def _inserted_pks(compiler: SQLInsertCompiler, rows: Any) -> Collection[Any] | None:
    """Return the keys of what an INSERT made; None where it cannot be told."""
    query = compiler.query
    if query.on_conflict is not None:
        return None
    key = query.get_meta().pk
    returned = list(compiler.returning_fields or ())
    if key in returned and len(rows) == len(query.objs):
        return [row[returned.index(key)] for row in rows]
    pks = [obj.pk for obj in query.objs]
    if any(pk is None or hasattr(pk, "resolve_expression") for pk in pks):
        return None
    return pks


def _changes(
    declaration: Declaration, before: dict[Any, Image], after: dict[Any, Image]
) -> list[Change]:
    return [
        Change(declaration.model, pk_text(pk), before.get(pk), after.get(pk))
        for pk in before | after
    ]
