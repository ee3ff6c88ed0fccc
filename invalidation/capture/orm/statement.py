"""Shared by the writers: conditions of Django's statements, and the rows that Django asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In

from invalidation.capture.orm.write import Write
from invalidation.capture.sql_marker import with_marker
from invalidation.conf import conf


def returned(write: Write, fields: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the first columns of fetched rows, converted as Django converts them."""
    if not fields:
        return []
    compiler = write.compiler
    cut: Any = [tuple(row[: len(fields)]) for row in rows]
    table = compiler.query.get_meta().db_table
    converters = compiler.get_converters([field.get_col(table) for field in fields])
    return list(compiler.apply_converters(cut, converters)) if converters else cut


def is_bounded(write: Write) -> bool:
    """Return True if the statement names at most MAX_ROWS rows by their primary key."""
    return any(_names_keys(condition) for condition in _all_of(write.compiler.query.where))


def names_one_key(write: Write) -> bool:
    """Return True if the whole condition is that the primary key has one value."""
    conditions = _all_of(write.compiler.query.where)
    return len(conditions) == 1 and _is_key(conditions[0]) and isinstance(conditions[0], Exact)


def exceeds(write: Write, condition: str, params: Sequence[Any]) -> bool:
    """Query whether more than MAX_ROWS rows match a condition."""
    table = write.reader.table
    where = f" WHERE {condition}" if condition else ""
    sql = f"SELECT 1 FROM {table}{where} LIMIT 1 OFFSET {conf.MAX_ROWS:d}"  # noqa: S608
    with write.connection.cursor() as cursor:
        cursor.execute(with_marker(sql), params)
        return cursor.fetchone() is not None


def _all_of(where: Any) -> Sequence[Any]:
    """Return the conditions that are joined by AND at the top."""
    simple = where.connector == "AND" and not where.negated
    return where.children if simple else ()


def _names_keys(condition: Any) -> bool:
    if not _is_key(condition):
        return False
    if type(condition) is In:
        return bool(len(condition.rhs) <= conf.MAX_ROWS)
    return isinstance(condition, Exact)


def _is_key(condition: Any) -> bool:
    """Return True if a condition compares the primary key with values."""
    key = isinstance(getattr(condition, "lhs", None), Col) and condition.lhs.target.primary_key
    return bool(key and condition.rhs_is_direct_value())
