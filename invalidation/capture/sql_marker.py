"""The comment behind every statement whose rows the seam knows."""

from __future__ import annotations

import re

ISSUED_HERE = "/* livequery */"
"""By it the raw SQL detector and the triggers of PostgreSQL tell these statements from others."""

# Tools that trace queries append comments of their own. In the midst of a statement ours proves
# nothing.
_END = re.compile(re.escape(ISSUED_HERE) + r"(?:\s|/\*[^*]*\*/)*\Z")


def marked(sql: str) -> str:
    """Return the statement with the comment behind it."""
    return f"{sql} {ISSUED_HERE}" if sql else sql


def is_marked(sql: str) -> bool:
    """Was this statement issued by the seam?"""
    return sql.endswith(ISSUED_HERE) or (
        ISSUED_HERE in sql and _END.search(sql, sql.rindex(ISSUED_HERE)) is not None
    )
