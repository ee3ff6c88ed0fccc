"""Cursors: positions in a backend's history.

A cursor is an epoch and an offset. Only the backend that made a cursor interprets it; all other
parts keep its text and return it. The epoch changes whenever the backend may have lost a message.
So a cursor of another epoch proves nothing, and its holder must reload.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from realtime.exceptions import InvalidCursor

_TEXT = re.compile(r"([A-Za-z0-9_~-]{1,200})\.([A-Za-z0-9_~-]{1,1700})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position: `epoch` and `offset`, both text that only its backend interprets."""

    epoch: str
    offset: str

    def __str__(self) -> str:
        return f"{self.epoch}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of `str(cursor)`; raise InvalidCursor for any other text."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidCursor(f"expected a cursor as given out by position(), got {text!r:.80}")
        return cls(*match.groups())


NOWHERE = Cursor("none", "0")
"""A position that proves nothing: a client that sends it is reset."""
