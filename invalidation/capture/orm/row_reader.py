"""Read rows, in the columns that their topics and images need, by lean SQL.

A QuerySet costs ten times as much, and capture reads at every write.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from django.db import DataError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from invalidation.capture.catalogue.facts import TableFacts
from invalidation.capture.sql_marker import with_marker
from invalidation.changes import Image

Identity = tuple[Any, ...]
"""What tells a row of a table from others, as the database driver returns it.

The columns of its primary key, or on SQLite the number of the row: a key that passes through Python
may come back in another spelling.
"""


class Row(NamedTuple):
    """A row: its primary key as Python has it, and its image."""

    pk: Any
    image: Image


Rows = dict[Identity, Row]
"""Rows by identity."""

_UNREADABLE = (DataError, ValueError, TypeError, ArithmeticError)
"""The exceptions of drivers that cannot convert a value of a row."""

_PLAIN = frozenset(
    {bool, bytes, Decimal, dt.date, dt.datetime, dt.time, dt.timedelta, float, int, str, type(None)}
)
"""Types whose values have a text for certain."""

_CONVERTED_BY_DJANGO = frozenset({"BooleanField", "DateField", "DateTimeField", "TimeField"})
"""The internal types of fields that SQLite's driver converts, and Django where it does not."""

CHUNK = 500
"""Keys in one query: databases limit the number of parameters."""


class Unreadable(Exception):
    """Rows cannot be read, or cannot be told from each other.

    One holds a value that its field or the driver cannot read, like PostgreSQL's `infinity`, or
    whose `__str__` raises; then the cause is the original error. Or two have the same key, or a key
    is null. The write must not fail because of it.
    """


def fetch(cursor: Any) -> list[Sequence[Any]]:
    """Fetch all rows of a statement, or raise Unreadable."""
    try:
        rows: list[Sequence[Any]] = cursor.fetchall()
    except _UNREADABLE as error:
        raise Unreadable from error
    return rows


def fetch_first(cursor: Any, many: int) -> list[Sequence[Any]] | None:
    """Fetch the first columns of the rows of a statement whose other columns cannot be read.

    Return None if the driver cannot do that, and raise what it raises for these columns.
    """
    driver = cursor.cursor
    result = getattr(driver, "pgresult", None)
    if result is None:
        return None
    loads = []
    for at in range(many):
        oid, form = result.ftype(at), result.fformat(at)
        # As psycopg does: a type without a loader is loaded as text.
        loader = driver.adapters.get_loader(oid, form) or driver.adapters.get_loader(0, form)
        loads.append(loader(oid, driver).load)
    lines: list[Sequence[Any]] = []
    with cursor.db.wrap_database_errors:
        for row in range(result.ntuples):
            found = [result.get_value(row, at) for at in range(many)]
            pairs = zip(found, loads, strict=True)
            lines.append(tuple(None if value is None else load(value) for value, load in pairs))
    return lines


class RowReader:
    """Reads rows of one table: their keys and the given columns, by attname.

    It belongs to one connection, since the conversions of values depend on the database.
    """

    def __init__(
        self, model: type[Model], columns: Iterable[str], connection: BaseDatabaseWrapper
    ) -> None:
        opts = model._meta
        self.model = model
        self._connection = connection
        by_name: dict[str, Field[Any, Any]] = {f.attname: f for f in opts.local_concrete_fields}
        self.keys: list[Field[Any, Any]] = list(opts.pk_fields)
        self.names = sorted(columns)
        self.fields = [*self.keys, *(by_name[name] for name in self.names)]
        self.table = connection.ops.quote_name(opts.db_table)
        self.columns = [self.column(field) for field in self.fields]
        # SQLite compares names without regard to case.
        fold = str.lower if connection.vendor == "sqlite" else str
        self.column_names = frozenset(fold(str(field.column)) for field in self.fields)
        self.key_names = frozenset(fold(str(field.column)) for field in self.keys)
        self._converters = _converters_of(self.fields, opts.db_table, connection)
        self.facts: TableFacts | None = None
        """The table's facts, for which the reader is prepared."""
        self.obstacle = ""
        """Why these facts do not allow to read the rows; empty if they do."""
        self.identify_by("")

    def identify_by(self, rowid: str) -> None:
        """Identify rows by SQLite's number of the row, which has this name; if empty, by key."""
        self.rowid = f"{self.table}.{rowid}" if rowid else ""
        self.selected = [*map(self._unconverted, self.fields), *([self.rowid] if rowid else ())]
        self.list = ", ".join(self.selected)

    @property
    def key_columns(self) -> list[str]:
        """The columns of the primary key, as SQL."""
        return self.columns[: len(self.keys)]

    @property
    def identity(self) -> list[str]:
        """The columns that identify a row, as SQL."""
        return [self.rowid] if self.rowid else self.key_columns

    def column(self, field: Any) -> str:
        """Return a field's column as SQL, with the table's name."""
        return f"{self.table}.{self._connection.ops.quote_name(field.column)}"

    def _unconverted(self, field: Any) -> str:
        """Return the column's value as SQL that SQLite's driver does not convert.

        Its converters fail for values such as '2020-13-13', after the statement was executed.
        Django's own take the values of expressions unconverted.
        """
        column, target = self.column(field), field
        if self._connection.vendor != "sqlite":
            return column
        while target.remote_field:
            target = target.target_field
        kind = str(field.db_type(self._connection)).partition("(")[0].partition(" ")[0].upper()
        by_driver = kind in sqlite3.converters
        if by_driver and target.get_internal_type() not in _CONVERTED_BY_DJANGO:
            return column
        return f"+{column}"

    def select(self, condition: str, params: Sequence[Any], limit: int, lock: str = "") -> Rows:
        """Return up to `limit` rows that match a condition, given as SQL; empty matches all.

        Rows are locked in the order of their keys.
        """
        where = f" WHERE {condition}" if condition else ""
        order = f" ORDER BY {', '.join(self.key_columns)}" if lock else ""
        sql = f"SELECT {self.list} FROM {self.table}{where}{order} LIMIT {limit}{lock}"  # noqa: S608 -- quoted names
        with self._connection.cursor() as cursor:
            cursor.execute(with_marker(sql), params)
            return self.rows(fetch(cursor))

    def select_these(self, identities: Iterable[Identity]) -> Rows:
        """Return the current rows of these identities."""
        return self.select_having(self.identity, identities)

    def select_having(self, columns: Sequence[str], keys: Iterable[Identity]) -> Rows:
        """Return the rows that have one of these keys in `columns`, given as SQL.

        Raise Unreadable if there are far too many.
        """
        rows: Rows = {}
        remaining = iter(keys)
        while chunk := list(islice(remaining, CHUNK)):
            found = self.select(*any_of(columns, chunk), 2 * CHUNK)
            # The columns may compare by a collation that finds more rows than one for each key.
            if len(found) == 2 * CHUNK:
                raise Unreadable
            rows |= found
        return rows

    def rows(self, raw: Sequence[Sequence[Any]], start: int = 0) -> Rows:
        """Return fetched rows; the reader's columns begin at index `start`.

        Raise Unreadable if two of them have the same identity.
        """
        try:
            rows = dict(self._each(raw, start))
        except TypeError as error:
            # A key that is a list, of an array column, is no key of a dict.
            raise Unreadable from error
        if len(rows) < len(raw):
            raise Unreadable
        return rows

    def _each(self, raw: Iterable[Sequence[Any]], start: int) -> Iterator[tuple[Identity, Row]]:
        count, end = len(self.keys), start + len(self.fields)
        for line in raw:
            values = list(line[start:end])
            key = tuple(values[:count])
            if None in key:
                raise Unreadable
            for index, convert in self._converters:
                values[index] = convert(values[index])
            pk = values[0] if count == 1 else tuple(values[:count])
            image = dict(zip(self.names, values[count:], strict=True))
            yield (line[end],) if self.rowid else key, Row(pk, image)


def any_of(columns: Sequence[str], keys: Sequence[Identity]) -> tuple[str, list[Any]]:
    """Return the SQL condition that the columns hold one of these keys, and its parameters."""
    # SQLite's driver returns `time` values but refuses them as parameters.
    params = [str(value) if type(value) is dt.time else value for key in keys for value in key]
    if len(columns) == 1:
        return f"{columns[0]} IN ({', '.join(['%s'] * len(keys))})", params
    one = " AND ".join(f"{column} = %s" for column in columns)
    return _or([f"({one})"] * len(keys)), params


def _or(terms: Sequence[str]) -> str:
    """Join conditions by OR as a balanced tree: SQLite limits the depth of an expression."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_or(terms[:half])} OR {_or(terms[half:])})"


def has_columns(
    model: type[Model], fields: Iterable[Field[Any, Any]], connection: BaseDatabaseWrapper
) -> bool:
    """Return True if `model` has columns of these names and types.

    It may be another model of the same table.
    """
    theirs = {f.column: f.db_type(connection) for f in model._meta.local_concrete_fields}
    return all(theirs.get(str(f.column)) == f.db_type(connection) for f in fields)


def _converters_of(
    fields: Sequence[Field[Any, Any]], table: str, connection: BaseDatabaseWrapper
) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return converters from the database's values to Python's, for the fields that have one."""
    found = []
    for index, field in enumerate(fields):
        column: Any = field.get_col(table)
        own = [*_corrections(field, connection), *connection.ops.get_db_converters(column)]
        if converters := [*own, *column.get_db_converters(connection)]:
            found.append((index, _chain(converters, column, connection)))
    return found


def _corrections(
    field: Field[Any, Any], connection: BaseDatabaseWrapper
) -> list[Callable[..., Any]]:
    """Return the converter that turns a number from RETURNING into the number that SELECT gives.

    SQLite's RETURNING may return 5 for the 5.0 of a float column and, in a table that has a float
    column, 5.0 for any 5.
    """
    if connection.vendor != "sqlite":
        return []
    kinds = {str(f.db_type(connection)) for f in field.model._meta.local_concrete_fields}
    kind = str(field.db_type(connection))
    if kind == "real":
        return [_float]
    return [_integer] if "real" in kinds and "int" in kind else []


def _float(value: Any, *_: Any) -> Any:
    return float(value) if isinstance(value, int) else value


def _integer(value: Any, *_: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _chain(
    converters: Sequence[Callable[..., Any]], expression: Any, connection: BaseDatabaseWrapper
) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            for converter in converters:
                value = converter(value, expression, connection)
            if type(value) not in _PLAIN:
                # Topics and messages hold its text.
                str(value)
        except Exception as error:
            raise Unreadable from error
        return value

    return convert
