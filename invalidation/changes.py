"""Changes: what one transaction did to one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from realtime.messages.message import Message
from realtime.messages.topics import Topic

if TYPE_CHECKING:
    from django.db.models import Model


import json

Image = Mapping[str, Any]
"""A row's columns by attname, with the values that the database holds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of one table in one committed transaction.

    `pk` is text. `before` is what the row was when the transaction first touched it, `after` what
    it left behind; None where there was no row. `written` are the columns that the statements
    named, where that is known: the images hold only columns that count.
    """

    model: type[Model]
    pk: str
    before: Image | None
    after: Image | None
    written: frozenset[str] | None = field(default=None, compare=False)

    def followed_by(self, later: Change) -> Change:
        """Return what both amount to."""
        known = self.written is not None and later.written is not None
        written = self.written | later.written if known else None  # type: ignore[operator]
        return replace(self, after=later.after, written=written)


def merge(changes: Iterable[Change]) -> list[Change]:
    """Join changes in their order to one a row: the first before and the last after.

    A row that was made and deleted again within the transaction was never seen by anybody.
    """
    merged: dict[tuple[type[Model], str], Change] = {}
    for change in changes:
        row = (change.model, change.pk)
        first = merged.get(row)
        merged[row] = first.followed_by(change) if first else change
    return [c for c in merged.values() if c.before is not None or c.after is not None]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Rows of a model changed, and it is not known which: `reset` is the reason to give.

    `topics` are those concerned, where at least they are known; None stands for every topic of the
    model's families.
    """

    model: type[Model]
    reset: str
    topics: frozenset[Topic] | None = None


Entry = Change | Unknown | Message
"""What a transaction can have to tell; a message is one that was asked for by hand."""


def pk_text(pk: object) -> str:
    """Spell a primary key as text: composite ones as JSON."""
    if isinstance(pk, tuple):
        return json.dumps(pk, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(pk)
