"""Capture INSERT: the database returns the rows that it inserted.

An INSERT that ignores conflicts, as adding to a many-to-many relation does, therefore notes only
the rows that were really inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invalidation.capture.orm.inheritance import note_rows
from invalidation.capture.orm.statement import returned
from invalidation.capture.orm.write import NO_ROWS, Write

Statements = list[tuple[str, Sequence[Any]]]
"""Pairs of SQL and parameters."""


def insert(write: Write) -> Any:
    """Run an INSERT; return the rows of the fields that Django asked for."""
    asked = list(write.asked or ())
    made = statements(write)
    if not are_plain(made):
        return write.run_built(made)
    rows, is_whole = run(write, made, write.reader.selected)
    if is_whole:
        with write.reset_if_unreadable():
            note_rows(write, NO_ROWS, write.read_back(rows, len(asked)))
    return returned(write, asked, rows)


def statements(write: Write) -> Statements:
    """Let Django build the INSERT with the fields that it asked for."""
    write.compiler.returning_fields = write.asked
    made: Statements = write.compiler.as_sql()
    return made


def are_plain(made: Statements) -> bool:
    """Return True if the statements are Django's usual ones, without a WITH clause for example."""
    return all(sql.startswith("INSERT ") for sql, _ in made)


def run(write: Write, made: Statements, also: Sequence[str]) -> tuple[list[Sequence[Any]], bool]:
    """Run the INSERT; return each row's fields that were asked for, then these SQL expressions.

    The second value is False if only the fields that were asked for could be read.
    """
    begins = ", " if write.asked else " RETURNING "
    rows: list[Sequence[Any]] = []
    is_whole = True
    for sql, params in made:
        written = write.execute(f"{sql}{begins}{', '.join(also)}", params, len(write.asked or ()))
        rows += written.lines
        is_whole &= written.is_whole
    return rows, is_whole
