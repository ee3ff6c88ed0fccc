"""Reading what rows are, in the columns that their topics depend on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.sql import Query

from invalidation.changes import Image
from invalidation.conf import conf
from invalidation.tracking import Declaration

Rows = dict[Any, Image]
"""Images by primary key, as Python has it."""

CHUNK = 500
"""Keys in one query: databases bound the number of parameters."""


def take_write_lock(connection: BaseDatabaseWrapper, model: type[Model]) -> None:
    """Begin the transaction as a writer, where a database has but one.

    On SQLite a transaction that reads first and writes then fails at once with "database is
    locked" when somebody else wrote in between; one whose first statement writes waits its turn.
    """
    if connection.vendor == "sqlite":
        table = connection.ops.quote_name(model._meta.db_table)
        # By the key: a table may have been made without a rowid.
        column = connection.ops.quote_name(str(model._meta.pk_fields[0].column))
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {column} WHERE 0")  # noqa: S608


def read_matching(query: Query, declaration: Declaration, alias: str) -> Rows | None:
    """Return the rows that an UPDATE or DELETE is about to touch; None if over MAX_ROWS."""
    matching = query.chain(klass=Query)
    matching.clear_ordering(force=True)
    matching.clear_select_clause()
    matching.add_fields(["pk"])
    most: int = conf.MAX_ROWS
    rows = _read(declaration, alias, matching, most + 1)
    return rows if len(rows) <= most else None


def read_rows(declaration: Declaration, pks: Iterable[Any], alias: str) -> Rows:
    """Return the rows with these keys that are there now."""
    wanted = list(pks)
    rows: Rows = {}
    for start in range(0, len(wanted), CHUNK):
        rows |= _read(declaration, alias, wanted[start : start + CHUNK], CHUNK)
    return rows


def pk_text(pk: object) -> str:
    """Spell a primary key as text: composite ones as JSON."""
    if isinstance(pk, tuple):
        return json.dumps(pk, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(pk)


def _read(declaration: Declaration, alias: str, pks: Query | list[Any], most: int) -> Rows:
    columns = sorted(declaration.columns)
    # Not the model's manager: that may hide rows.
    rows: QuerySet[Model] = QuerySet(declaration.model, using=alias)
    rows = rows.filter(pk__in=pks).order_by("pk")
    found = rows.values_list("pk", *columns)[:most]
    return {pk: dict(zip(columns, values, strict=True)) for pk, *values in found}
