"""Cursors: positions in a backend's history.

A cursor is an epoch and an offset. Only the backend that made it knows what they mean; everybody
else keeps its text and hands it back. An epoch changes whenever the backend may have lost
something, so a cursor of another epoch proves nothing and its owner must reload.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from realtime.exceptions import InvalidCursor

_TEXT = re.compile(r"([A-Za-z0-9_~-]{1,200})\.([A-Za-z0-9_~-]{1,1700})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position: `epoch` and `offset`, both text that only its backend understands."""

    epoch: str
    offset: str

    def __str__(self) -> str:
        return f"{self.epoch}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str(cursor)` wrote; raise InvalidCursor for anything else."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidCursor(f"expected a cursor as given out by position(), got {text!r:.80}")
        return cls(*match.groups())


NOWHERE = Cursor("none", "0")
"""A position that proves nothing: whoever comes with it is reset."""
