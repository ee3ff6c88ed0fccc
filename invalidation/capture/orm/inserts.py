"""Capture INSERT: the database returns the rows that it inserted.

An INSERT that ignores conflicts, as adding to a many-to-many relation does, therefore notes only
the rows that were really inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invalidation.capture.orm.inheritance import note_rows, touch_parents
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.write import NO_ROWS, Write

Statements = list[tuple[str, Sequence[Any]]]
"""Pairs of SQL and parameters."""


def insert(write: Write) -> Any:
    """Run an INSERT; return the rows of the fields that Django asked for."""
    asked = list(write.asked or ())
    touch_parents(write)
    rows = run(write, statements(write, [*asked, *write.reader.fields]))
    with write.reset_if_unreadable():
        note_rows(write, NO_ROWS, write.read_back(rows, len(asked)))
    return returned(write, asked, rows)


def statements(write: Write, fields: Sequence[Any]) -> Statements:
    """Let Django build the INSERT so that it returns these fields of each row."""
    write.compiler.returning_fields = fields
    made: Statements = write.compiler.as_sql()
    return made


def run(write: Write, made: Statements, also: str = "") -> list[Sequence[Any]]:
    """Run the INSERT; return the fields of each row, and the value of the SQL expression `also`."""
    rows: list[Sequence[Any]] = []
    for sql, params in made:
        rows += write.execute(f"{sql}, {also}" if also else sql, params)[0] or ()
    return rows
