"""Primary keys as text, as they stand in messages and topics."""

from __future__ import annotations

import json


def pk_text(pk: object) -> str:
    """Spell a primary key as text: composite ones as JSON."""
    if isinstance(pk, tuple):
        return json.dumps(pk, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(pk)
