"""Capturing INSERT: what was made is what the database returns.

So an INSERT that ignores conflicts, as adding to a many-to-many relation does, is told by the rows
that it really made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invalidation.capture.rewriting import returned
from invalidation.capture.writing import NOTHING, Writing


def insert(writing: Writing) -> Any:
    """Run an INSERT; return the rows of the fields that Django asked for."""
    asked = list(writing.asked or ())
    rows = run_returning(writing, [*asked, *writing.reader.fields])
    writing.note(writing.plan.declaration, NOTHING, writing.read_back(rows, len(asked)))
    return returned(writing, asked, rows)


def run_returning(writing: Writing, fields: Sequence[Any], also: str = "") -> list[Sequence[Any]]:
    """Run Django's INSERT; return these fields of each row, and what the SQL `also` gives."""
    compiler = writing.compiler
    compiler.returning_fields = fields
    rows: list[Sequence[Any]] = []
    for sql, params in compiler.as_sql():
        rows += writing.execute(f"{sql}, {also}" if also else sql, params)[0]
    return rows
