"""The comment behind every statement whose rows the seam knows."""

from __future__ import annotations

ISSUED_HERE = "/* livequery */"
"""By it the raw SQL detector and the triggers of PostgreSQL tell these statements from others."""


def marked(sql: str) -> str:
    """Return the statement with the comment behind it."""
    return f"{sql} {ISSUED_HERE}" if sql else sql
