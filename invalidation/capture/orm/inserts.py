"""Capture INSERT: the database returns the rows that it inserted.

An INSERT that ignores conflicts, as adding to a many-to-many relation does, therefore records only
the rows that were really inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invalidation.capture.orm.inheritance import hold_parents, note_rows
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.write import NOTHING, Write

Statements = list[tuple[str, Sequence[Any]]]
"""Pairs of SQL and parameters."""


def insert(writing: Write) -> Any:
    """Run an INSERT; return the rows of the fields that Django asked for."""
    asked = list(writing.asked or ())
    hold_parents(writing)
    rows = run(writing, statements(writing, [*asked, *writing.reader.fields]))
    with writing.reading():
        note_rows(writing, NOTHING, writing.read_back(rows, len(asked)))
    return returned(writing, asked, rows)


def statements(writing: Write, fields: Sequence[Any]) -> Statements:
    """Let Django build the INSERT so that it returns these fields of each row."""
    writing.compiler.returning_fields = fields
    made: Statements = writing.compiler.as_sql()
    return made


def run(writing: Write, made: Statements, also: str = "") -> list[Sequence[Any]]:
    """Run the INSERT; return the fields of each row, and the value of the SQL expression `also`."""
    rows: list[Sequence[Any]] = []
    for sql, params in made:
        rows += writing.execute(f"{sql}, {also}" if also else sql, params)[0] or ()
    return rows
