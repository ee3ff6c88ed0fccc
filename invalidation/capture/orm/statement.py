"""Shared by the writers: conditions of Django's statements, and the rows that Django asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In

from invalidation.capture.orm.row_reader import has_columns
from invalidation.capture.orm.table_kind import is_view
from invalidation.capture.orm.write import Write
from invalidation.conf import conf
from invalidation.transactions.journal import journal_of


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


def exceeds(write: Write, condition: str, params: Sequence[Any]) -> bool:
    """Query whether more than MAX_ROWS rows match a condition."""
    table = write.reader.table
    where = f" WHERE {condition}" if condition else ""
    sql = f"SELECT 1 FROM {table}{where} LIMIT 1 OFFSET {conf.MAX_ROWS:d}"  # noqa: S608
    with write.connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone() is not None


def can_be_read(write: Write) -> bool:
    """Return True if the rows can be read, and reading them is of use.

    A view's rows are not read. Nor are rows of models whose families a long transaction resets
    anyway. A model class other than the tracked one, a migration's or a second one of the table,
    must have the read columns, with the same types: between migrations a column may not exist yet,
    and reading it would make the write fail.
    """
    if journal_of(write.connection).resets_all_of(write.plan.declarations):
        return False
    if is_view(write):
        return False
    model = write.compiler.query.model
    if model._meta.concrete_model is write.plan.model:
        return True
    return has_columns(model, write.reader.fields, write.connection)


def _all_of(where: Any) -> Sequence[Any]:
    """Return the conditions that are joined by AND at the top."""
    simple = where.connector == "AND" and not where.negated
    return where.children if simple else ()


def _names_keys(condition: Any) -> bool:
    key = isinstance(getattr(condition, "lhs", None), Col) and condition.lhs.target.primary_key
    if not key or not condition.rhs_is_direct_value():
        return False
    if type(condition) is In:
        return bool(len(condition.rhs) <= conf.MAX_ROWS)
    return isinstance(condition, Exact)
