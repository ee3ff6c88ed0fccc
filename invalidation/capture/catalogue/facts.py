"""What the database's catalogue says of a table, as far as capture depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Facts of one table, for the role of the connection.

    Names of columns are in lower case on SQLite, which compares them without regard to case.
    """

    obstacle: str = ""
    """Why rows can be neither returned nor read, such as "it is a view"; empty if they can."""
    hides_rows: bool = False
    """True if row-level security is active for the role."""
    columns: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    """The columns that the role may not read."""
    unique: tuple[Mapping[str, str], ...] = ()
    """The sets of columns that are unique at all times; on SQLite with their index's collation."""
    rowid: str = ""
    """SQLite's name for the number of a row; empty in a table WITHOUT ROWID, and on PostgreSQL."""
    rowid_column: str = ""
    """The column that is the same as the number of a row, if there is one."""
    has_triggers: bool = False
    """On SQLite, whether triggers may change rows after RETURNING gave them."""
    shows_versions: bool = False
    """On PostgreSQL, whether a statement may return system columns, such as xmin."""
    lockable: bool = True
    """Whether the role may lock rows that it does not write."""

    def is_unique(self, columns: frozenset[str]) -> bool:
        """Return True if at most one row has the same values in these columns."""
        return any(columns >= each.keys() for each in self.unique)
