"""The state of one captured write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.subqueries import UpdateQuery

from invalidation.capture.catalogue import facts_of
from invalidation.capture.orm.row_reader import Row, RowReader, Rows, Unreadable, fetch, fetch_first
from invalidation.capture.sql_marker import with_marker
from invalidation.changes import Change, UnknownRows, pk_text
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.write_plans import WritePlan
from invalidation.transactions.journal import journal_of
from realtime.messages.message import Reset

NO_ROWS: Rows = {}


class Written(NamedTuple):
    """The rows that a statement returned, and how many it wrote.

    Unless it `is_whole`, only the columns that Django asked for could be read.
    """

    lines: list[Sequence[Any]]
    number: int
    is_whole: bool = True


@dataclass
class Write:
    """A compiler that is about to write, with the write plan of its table.

    `original` is Django's own method, bound. `asked` is its argument: the kind of result, or the
    fields to return; for updates `returns_rows` says which.
    """

    compiler: Any
    plan: WritePlan
    original: Callable[[], Any]
    asked: Any
    returns_rows: bool
    _locked_first: bool = False

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """The database connection of the write."""
        connection: BaseDatabaseWrapper = self.compiler.connection
        return connection

    @cached_property
    def reader(self) -> RowReader:
        """The reader of the table's rows: in the tracked columns, or their keys only."""
        plan = self.plan
        columns = plan.declaration.columns if plan.declaration else ()
        return reader_of(plan, plan.model, columns, self.connection)

    def run(self) -> Any:
        """Run Django's own method, with the marker on its statement."""
        _add_marker(self.compiler)
        return self.original()

    def run_and_reset(self) -> Any:
        """Note that any row may have changed, and run Django's own method."""
        self.note_unknown(self.plan.declarations)
        return self.run()

    def run_built(self, made: Any) -> Any:
        """Note that any row may have changed, and let Django's own method run this statement.

        Building it again could call `pre_save()` twice, or read the parents' keys again.
        """
        self.compiler.as_sql = lambda: made
        return self.run_and_reset()

    def execute(self, sql: str, params: Sequence[Any], asked: int = 0) -> Written:
        """Run a statement that returns rows; their first `asked` columns are those for Django.

        The other columns may be unreadable; any row may have changed then.
        """
        journal = journal_of(self.connection)
        self._locked_first = journal.is_writing
        with self.connection.cursor() as cursor:
            cursor.execute(with_marker(sql), params)
            journal.is_writing = True
            try:
                return Written(fetch(cursor), cursor.rowcount)
            except Unreadable:
                lines = fetch_first(cursor, asked)
                if lines is None and asked:
                    raise
                count = cursor.rowcount
        if self.connection.vendor == "sqlite":
            # SQLite's driver knows the count only after all rows are fetched.
            (count,) = self.connection.connection.execute("SELECT changes()").fetchone()
        self.note_unknown(self.plan.declarations)
        return Written(lines or [()] * count, count, is_whole=False)

    @contextmanager
    def reset_if_unreadable(self) -> Iterator[None]:
        """Note that any row may have changed if the block cannot read the written rows."""
        try:
            yield
        except Unreadable:
            self.note_unknown(self.plan.declarations)

    def read_back(self, lines: Sequence[Sequence[Any]], start: int = 0) -> Rows:
        """Return the rows from a statement's RETURNING; their columns begin at index `start`.

        SQLite's RETURNING gives rows as they were before triggers changed them, so they are read
        again. Raise Unreadable if they are not all found.
        """
        reader = self.reader
        rows = reader.rows(lines, start)
        facts = reader.facts
        if self.connection.vendor == "sqlite" and not self._locked_first:
            # Another connection may have made a trigger before the statement took the write lock.
            facts = facts_of(self.connection, str(self.plan.model._meta.db_table))
        if not (rows and facts and facts.has_triggers):
            return rows
        now = reader.select_these(rows) if reader.rowid else NO_ROWS
        if now.keys() != rows.keys():
            raise Unreadable
        return now

    def note(self, declaration: Declaration | None, before: Rows, after: Rows) -> None:
        """Note the changes of rows, by their keys, if their model is tracked.

        It is noted at once: a write of ours may cause others, and the journal keeps their order.
        """
        if declaration is not None:
            changes = _changes(declaration, by_text(before), by_text(after), self.written)
            _try_computed(declaration, changes)
            journal_of(self.connection).add(changes)

    @cached_property
    def written(self) -> frozenset[str] | None:
        """The attnames of the columns that an UPDATE sets; None for another write."""
        query = self.compiler.query
        if not isinstance(query, UpdateQuery):
            return None
        values: Iterable[Any] = query.values  # type: ignore[attr-defined]
        return frozenset(field.attname for field, *_ in values)

    def note_unknown(self, declarations: Iterable[Declaration]) -> None:
        """Note that any row of these models may have changed."""
        unknown = [UnknownRows(declaration.model, Reset.BULK) for declaration in declarations]
        journal_of(self.connection).add(unknown)


def reader_of(
    owner: object, model: Any, columns: Iterable[str], connection: BaseDatabaseWrapper
) -> RowReader:
    """Return the reader for a plan's or a declaration's rows on a connection, made once."""
    readers = journal_of(connection).readers
    found = readers.get(id(owner))
    if found is None or found[0] is not owner:
        found = readers[id(owner)] = (owner, RowReader(model, columns, connection))
    reader: RowReader = found[1]
    return reader


def _add_marker(compiler: SQLCompiler) -> None:
    """Add the marker to the statements that the compiler builds from now on."""
    as_sql = compiler.as_sql

    def as_marked_sql(*args: Any, **kwargs: Any) -> Any:
        made: Any = as_sql(*args, **kwargs)
        if isinstance(made, list):
            return [(with_marker(sql), params) for sql, params in made]
        sql, params = made
        return with_marker(sql), params

    compiler.as_sql = as_marked_sql  # type: ignore[method-assign]


def by_text(rows: Rows) -> dict[str, Row]:
    """Return the rows by their primary keys as text.

    Raise Unreadable if two keys have the same text: messages could not tell the rows apart.
    """
    texts = {pk_text(row.pk): row for row in rows.values()}
    if len(texts) < len(rows):
        raise Unreadable
    return texts


def _changes(
    declaration: Declaration,
    before: dict[str, Row],
    after: dict[str, Row],
    written: frozenset[str] | None,
) -> list[Change]:
    return [
        Change(
            declaration.model,
            key,
            before[key].image if key in before else None,
            after[key].image if key in after else None,
            written,
        )
        for key in before | after
    ]


def _try_computed(declaration: Declaration, changes: Iterable[Change]) -> None:
    """Call the topic functions now, so that an error is raised at the write, not at the commit.

    A `TestCase` never commits, so the error would first appear in production.
    """
    for rule in declaration.computed:
        for change in changes:
            for row in (change.before, change.after):
                if row is not None:
                    rule.fill(row)
