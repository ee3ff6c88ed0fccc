"""`news.js`: what a handler has still to be told, and how it merges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class News:
    """Rows by label, each with its verb; or a reset. And where one stands once it is applied."""

    reset: str | None = None
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cursor: str | None = None

    @property
    def is_empty(self) -> bool:
        """Is there nothing to do but to remember the cursor?"""
        return self.reset is None and not self.rows

    @property
    def pks(self) -> set[str]:
        """The keys of all rows."""
        return {pk for verbs in self.rows.values() for pk in verbs}

    def without_cursor(self) -> News:
        """Return the same news, by which one may not move."""
        return replace(self, cursor=None)


def read_news(entry: Mapping[str, Any]) -> News:
    """Read a topic's entry of a `changed` frame."""
    reset, cursor = entry.get("reset"), entry.get("cursor")
    if reset is not None:
        return News(reset, cursor=cursor)
    rows: dict[str, dict[str, str]] = {}
    for label, lists in (entry.get("changes") or {}).items():
        for verb in ("entered", "updated", "left"):
            for pk in lists.get(verb) or ():
                _add(rows.setdefault(label, {}), pk, verb)
    return _bounded(News(None, rows, cursor))


def merge_news(older: News, newer: News) -> News:
    """Merge news with later news; the cursor is the last one known."""
    reset = newer.reset if newer.reset is not None else older.reset
    cursor = newer.cursor if newer.cursor is not None else older.cursor
    if reset is not None:
        return News(reset, cursor=cursor)
    rows = {label: dict(verbs) for label, verbs in older.rows.items()}
    for label, verbs in newer.rows.items():
        for pk, verb in verbs.items():
            _add(rows.setdefault(label, {}), pk, verb)
    return _bounded(News(None, rows, cursor))


def _add(verbs: dict[str, str], pk: str, verb: str) -> None:
    verbs[pk] = verb if verbs.get(pk, verb) == verb else "updated"


def _bounded(news: News) -> News:
    size = sum(map(len, news.rows.values()))
    return News("overflow", cursor=news.cursor) if size > MOST_ROWS else news
