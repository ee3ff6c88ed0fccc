"""Read rows, in the columns that their topics and images need, by lean SQL.

A QuerySet costs ten times as much, and capture reads at every write.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import DataError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from invalidation.changes import Image

Key = tuple[Any, ...]
"""A primary key as the database driver returns it, one value a column."""

Rows = dict[Key, tuple[Any, Image]]
"""Rows by key; the values are the primary key as Python has it, and the image."""

_UNREADABLE = (DataError, ValueError, TypeError, ArithmeticError)
"""The exceptions of drivers that cannot convert a value of a row."""

CHUNK = 500
"""Keys in one query: databases limit the number of parameters."""


class Unreadable(Exception):
    """A row holds a value that its field or the driver cannot read, like PostgreSQL's `infinity`.

    Its cause is the original error. A write of other columns of the row must not fail because of
    it.
    """


def fetch(cursor: Any) -> list[Sequence[Any]]:
    """Fetch all rows of a statement, or raise Unreadable."""
    try:
        rows: list[Sequence[Any]] = cursor.fetchall()
    except _UNREADABLE as error:
        raise Unreadable from error
    return rows


class RowReader:
    """Reads rows of one table: their keys and the given columns, by attname.

    It belongs to one connection, since the conversions of values depend on the database.
    """

    def __init__(
        self, model: type[Model], columns: Iterable[str], connection: BaseDatabaseWrapper
    ) -> None:
        opts = model._meta
        self._connection = connection
        by_name: dict[str, Field[Any, Any]] = {f.attname: f for f in opts.local_concrete_fields}
        self.keys: list[Field[Any, Any]] = list(opts.pk_fields)
        self.names = sorted(columns)
        self.fields = [*self.keys, *(by_name[name] for name in self.names)]
        self.table = connection.ops.quote_name(opts.db_table)
        self.columns = [self.column(field) for field in self.fields]
        self.list = ", ".join(self.columns)
        self.kind: str | None = None
        """The `relkind` of the table on PostgreSQL, after `table_kind` has read it."""
        self._converters = _converters_of(self.fields, opts.db_table, connection)

    @property
    def key_columns(self) -> list[str]:
        """The columns of the primary key, as SQL."""
        return self.columns[: len(self.keys)]

    def column(self, field: Any) -> str:
        """Return a field's column as SQL, with the table's name."""
        return f"{self.table}.{self._connection.ops.quote_name(field.column)}"

    def select(self, condition: str, params: Sequence[Any], limit: int, lock: str = "") -> Rows:
        """Return up to `limit` rows that match a condition, given as SQL; empty matches all."""
        where = f" WHERE {condition}" if condition else ""
        by = ", ".join(self.key_columns)
        sql = f"SELECT {self.list} FROM {self.table}{where} ORDER BY {by} LIMIT {limit}{lock}"  # noqa: S608 -- quoted names
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params)
            return self.rows(fetch(cursor))

    def select_keys(self, keys: Iterable[Key]) -> Rows:
        """Return the current rows with these keys."""
        return self.select_having(self.key_columns, keys)

    def select_having(self, columns: Sequence[str], keys: Iterable[Key], lock: str = "") -> Rows:
        """Return the rows that have one of these keys in `columns`, given as SQL."""
        rows: Rows = {}
        remaining = iter(keys)
        while chunk := list(islice(remaining, CHUNK)):
            rows |= self.select(*any_of(columns, chunk), CHUNK, lock)
        return rows

    def rows(self, raw: Iterable[Sequence[Any]], start: int = 0) -> Rows:
        """Return fetched rows as Rows; the reader's columns begin at index `start`."""
        return {key: (pk, image) for key, pk, image in self.each(raw, start)}

    def each(
        self, raw: Iterable[Sequence[Any]], start: int = 0
    ) -> Iterator[tuple[Key, Any, Image]]:
        """Give key, primary key and image of each fetched row."""
        count, end = len(self.keys), start + len(self.fields)
        for line in raw:
            values = list(line[start:end])
            key = tuple(values[:count])
            for index, convert in self._converters:
                values[index] = convert(values[index])
            pk = values[0] if count == 1 else tuple(values[:count])
            yield key, pk, dict(zip(self.names, values[count:], strict=True))


def any_of(columns: Sequence[str], keys: Sequence[Key]) -> tuple[str, list[Any]]:
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
        except Exception as error:
            raise Unreadable from error
        return value

    return convert
