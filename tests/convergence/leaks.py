"""What a client is told of a topic behind the word that it may not watch it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Leaks:
    """Reads along what one client's connections bring.

    Between `revoked`, or `denied`, and the next `subscribed` nothing may be told of a topic; it
    would be told to somebody who may not know it.
    """

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def opened(self) -> None:
        """Note another connection: nothing was said on it yet."""
        self._refused.clear()

    def heard(self, frame: Mapping[str, Any]) -> list[str]:
        """Take a frame; return the topics that it tells of and must not."""
        topics = frame.get("topics") or ()
        match frame["type"]:
            case "denied" | "revoked":
                self._refused.update(topics)
            case "subscribed":
                self._refused.difference_update(topics)
            case "changed":
                return sorted(self._refused.intersection(topics))
        return []
