"""The seam under every ORM write: `execute_sql` of the insert, update and delete compilers.

For a tracked model it reads the rows before, lets the write run, reads them after, and hands the
Changes to the transaction's journal. Where it cannot know the rows it notes that instead, and the
model's topics are reset. For a model that nobody tracks it costs one look into a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
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
Writer = Callable[[Any, Declaration, Run], tuple[Any, Sequence[Entry]]]
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
            journal = journal_of(self.connection)
            try:
                result, entries = writer(self, declaration, lambda: original(self, *args, **kwargs))
                _try_computed(declaration, entries)
            except BaseException:
                # How much was written is not known. The rollback that follows, unless the writer
                # has autocommit off and carries on, takes this back too.
                journal.add([Unknown(declaration.model, Reset.BULK)])
                raise
            journal.add(entries)
        return result

    execute_sql.__wrapped_by_invalidation__ = True  # type: ignore[attr-defined]
    return execute_sql


def _try_computed(declaration: Declaration, entries: Sequence[Entry]) -> None:
    """Let a topic function that raises do so where the writer is, not first at the commit.

    A `TestCase` never commits, so its mistakes would show in production only.
    """
    for rule in declaration.computed:
        for entry in entries:
            for row in (entry.before, entry.after) if isinstance(entry, Change) else ():
                if row is not None:
                    rule.fill(row)


def _transaction(connection: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Make write and stored message one unit, where the writer has no transaction of its own."""
    if connection.in_atomic_block or not connection.get_autocommit():
        return nullcontext()
    return transaction.atomic(using=connection.alias, savepoint=False)


def _insert(
    compiler: SQLInsertCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Sequence[Entry]]:
    result = run()
    pks = _inserted_pks(compiler, result)
    if pks is None or len(pks) > conf.MAX_ROWS:
        return result, [Unknown(declaration.model, Reset.BULK)]
    after = read_rows(declaration, pks, compiler.connection.alias)
    if len(after) != len(pks):
        # A field or a trigger has stored another key than the object has.
        return result, [Unknown(declaration.model, Reset.BULK)]
    return result, _changes(declaration, {}, after)


def _update(
    compiler: SQLUpdateCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Sequence[Entry]]:
    query: Any = compiler.query  # the stubs do not know `values`
    if not query.values:
        # The frame around updates of parent tables, which come by on their own.
        return run(), []
    alias = compiler.connection.alias
    take_write_lock(compiler.connection, declaration.model)
    before = read_matching(compiler.query, declaration, alias)
    keys = compiler.query.get_meta().pk_fields
    if before is None or any(field in keys for field, *_ in query.values):
        return run(), [Unknown(declaration.model, Reset.BULK)]
    _pin(compiler, before)
    result = run()
    return result, _changes(declaration, before, read_rows(declaration, before, alias))


def _delete(
    compiler: SQLDeleteCompiler, declaration: Declaration, run: Run
) -> tuple[Any, Sequence[Entry]]:
    take_write_lock(compiler.connection, declaration.model)
    before = read_matching(compiler.query, declaration, compiler.connection.alias)
    if before is None:
        return run(), [Unknown(declaration.model, Reset.BULK)]
    _pin(compiler, before)
    # Django leaves out a statement that can match nothing, and has no count for it.
    return run() or 0, _changes(declaration, before, {})


def _pin(compiler: SQLUpdateCompiler | SQLDeleteCompiler, pks: Iterable[Any]) -> None:
    """Let the statement write the rows that were read, and no others.

    Its own condition may hold for others when it is asked again, on rows that nobody has touched:
    `Now()`, `order_by("?")`, a function of the project's.
    """
    query: Any = compiler.query
    query.clear_where()
    query.add_filter("pk__in", list(pks))


def _inserted_pks(compiler: SQLInsertCompiler, rows: Any) -> Collection[Any] | None:
    """Return the keys of what an INSERT made; None where it cannot be told."""
    query: Any = compiler.query  # the stubs do not know `on_conflict`
    if query.on_conflict is not None:
        return None
    meta = query.get_meta()
    returned = list(compiler.returning_fields or ())
    if meta.pk in returned and len(rows) == len(query.objs):
        return [row[returned.index(meta.pk)] for row in rows]
    # By the table's own key: a multi-table child has other fields for its parent's.
    keys = [[getattr(obj, field.attname) for field in meta.pk_fields] for obj in query.objs]
    if any(part is None or hasattr(part, "resolve_expression") for key in keys for part in key):
        return None
    return [tuple(key) if meta.is_composite_pk else key[0] for key in keys]


def _changes(
    declaration: Declaration, before: dict[Any, Image], after: dict[Any, Image]
) -> list[Change]:
    return [
        Change(declaration.model, pk_text(pk), before.get(pk), after.get(pk))
        for pk in before | after
    ]
