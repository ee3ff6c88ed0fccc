"""The comment at the end of every statement whose rows capture knows."""

from __future__ import annotations

import re

ISSUED_HERE = "/* livequery */"
"""The raw SQL detector and PostgreSQL's triggers skip statements that end with it."""

# Tracing tools append comments of their own. Elsewhere in a statement the marker proves nothing.
_END = re.compile(re.escape(ISSUED_HERE) + r"(?:\s|/\*[^*]*\*/)*\Z")


def marked(sql: str) -> str:
    """Return the statement with the marker appended; an empty one as it is."""
    return f"{sql} {ISSUED_HERE}" if sql else sql


def is_marked(sql: str) -> bool:
    """Return True if capture has marked this statement."""
    return sql.endswith(ISSUED_HERE) or (
        ISSUED_HERE in sql and _END.search(sql, sql.rindex(ISSUED_HERE)) is not None
    )
