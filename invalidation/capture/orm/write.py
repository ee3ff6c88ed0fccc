"""One write on its way through the seam."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.subqueries import UpdateQuery

from invalidation.capture.orm.row_reader import Reader, Rows, Unreadable, fetch
from invalidation.capture.orm.sqlite_triggers import has_triggers
from invalidation.capture.sql_marker import marked
from invalidation.changes import Change, Unknown, pk_text
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import Plan
from invalidation.transactions.journal import journal_of
from realtime.messages.message import Reset

NOTHING: Rows = {}


@dataclass
class Write:
    """A compiler about to write, what the write concerns, and what is known of it so far.

    `original` is Django's own method, bound; `asked` its argument (the kind of result, or the
    fields to return, which `returns_rows` tells apart for updates).
    """

    compiler: Any
    plan: Plan
    original: Callable[[], Any]
    asked: Any
    returns_rows: bool

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """The database connection that is written on."""
        connection: BaseDatabaseWrapper = self.compiler.connection
        return connection

    @cached_property
    def reader(self) -> Reader:
        """Reads the table's rows: in the tracked columns, or just their keys."""
        plan = self.plan
        columns = plan.declaration.columns if plan.declaration else ()
        return reader_of(plan, plan.model, columns, self.connection)

    def run(self) -> Any:
        """Let Django write as it would have, with our mark on the statement."""
        _mark(self.compiler)
        return self.original()

    def run_blindly(self) -> Any:
        """Let Django write, without knowing which rows."""
        self.note_unknown(self.plan.declarations)
        return self.run()

    def execute(
        self, sql: str, params: Sequence[Any], *, needed: bool = True
    ) -> tuple[list[Sequence[Any]] | None, int]:
        """Run a statement of the seam's own; return its rows, if it gives any, and their count.

        None for rows that cannot be read and are not `needed`: any may have changed.
        """
        with self.connection.cursor() as cursor:
            cursor.execute(marked(sql), params)
            try:
                return fetch(cursor) if cursor.description else [], cursor.rowcount
            except Unreadable:
                if needed:
                    raise
                count = cursor.rowcount
        if self.connection.vendor == "sqlite":
            # Its driver counts when all has been fetched.
            (count,) = self.connection.connection.execute("SELECT changes()").fetchone()
        self.note_unknown(self.plan.declarations)
        return None, count

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Note that any row may have changed where the block cannot read what was written."""
        try:
            yield
        except Unreadable:
            self.note_unknown(self.plan.declarations)

    def read_back(self, lines: Sequence[Sequence[Any]], start: int = 0) -> Rows:
        """Return the rows of which a statement returned the columns, from `start` on."""
        rows = self.reader.rows(lines, start)
        if has_triggers(self.connection, self.plan.model._meta.db_table):
            return self.reader.select_keys(rows)
        return rows

    def note(self, declaration: Declaration | None, before: Rows, after: Rows) -> None:
        """Note what became of rows, by their keys, if they are of a tracked model.

        At once: a write of ours may make others, and what is noted first is what was first.
        """
        if declaration is not None:
            changes = _changes(declaration, before, after, self._written())
            _try_computed(declaration, changes)
            journal_of(self.connection).add(changes)

    def _written(self) -> frozenset[str] | None:
        """Return the attnames of the columns that an UPDATE names; None for another write."""
        query = self.compiler.query
        if not isinstance(query, UpdateQuery):
            return None
        values: Iterable[Any] = query.values  # type: ignore[attr-defined]
        return frozenset(field.attname for field, *_ in values)

    def note_unknown(self, declarations: Iterable[Declaration]) -> None:
        """Note that any row of these models may have changed."""
        unknown = [Unknown(declaration.model, Reset.BULK) for declaration in declarations]
        journal_of(self.connection).add(unknown)


def reader_of(
    owner: object, model: Any, columns: Iterable[str], connection: BaseDatabaseWrapper
) -> Reader:
    """Return the reader of a plan's or a declaration's rows on a connection, made once."""
    readers = journal_of(connection).readers
    found = readers.get(id(owner))
    if found is None or found[0] is not owner:
        found = readers[id(owner)] = (owner, Reader(model, columns, connection))
    reader: Reader = found[1]
    return reader


def _mark(compiler: SQLCompiler) -> None:
    """Have the compiler's next statement carry our mark."""
    as_sql = compiler.as_sql

    def as_marked_sql(*args: Any, **kwargs: Any) -> Any:
        made: Any = as_sql(*args, **kwargs)
        if isinstance(made, list):
            return [(marked(sql), params) for sql, params in made]
        sql, params = made
        return marked(sql), params

    compiler.as_sql = as_marked_sql  # type: ignore[method-assign]


def _changes(
    declaration: Declaration, before: Rows, after: Rows, written: frozenset[str] | None
) -> list[Change]:
    gone = (None, None)
    return [
        Change(
            declaration.model,
            pk_text((after.get(key) or before[key])[0]),
            before.get(key, gone)[1],
            after.get(key, gone)[1],
            written,
        )
        for key in before | after
    ]


def _try_computed(declaration: Declaration, changes: Iterable[Change]) -> None:
    """Let a topic function that raises do so where the writer is, not first at the commit.

    A `TestCase` never commits, so its mistakes would show in production only.
    """
    for rule in declaration.computed:
        for change in changes:
            for row in (change.before, change.after):
                if row is not None:
                    rule.fill(row)
