"""The comment at the end of every statement whose rows capture knows."""

from __future__ import annotations

import re

MARKER = "/* livequery */"
"""The raw SQL detector and PostgreSQL's triggers skip statements that end with it."""

# Tracing tools append comments of their own. Elsewhere in a statement the marker proves nothing.
_END = re.compile(re.escape(MARKER) + r"(?:\s|/\*[^*]*\*/)*\Z")


def with_marker(sql: str) -> str:
    """Return the statement with the marker appended; an empty one as it is."""
    return f"{sql} {MARKER}" if sql else sql


def has_marker(sql: str) -> bool:
    """Return True if capture has marked this statement."""
    return sql.endswith(MARKER) or (
        MARKER in sql and _END.search(sql, sql.rindex(MARKER)) is not None
    )
