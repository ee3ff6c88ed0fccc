"""The values that a transaction notes: the changes of its rows, and unknown changes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from realtime.messages.message import Message
from realtime.messages.topics import Topic

if TYPE_CHECKING:
    from django.db.models import Model


Image = Mapping[str, Any]
"""A row's columns by attname, with the database's values as Python has them."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one row of one table in one committed transaction.

    `pk` is text. `before` is the row when the transaction first touched it, `after` the row at its
    end; None where there was no row. Images hold only the columns that the declaration needs.
    `written` are the columns that the transaction's UPDATE statements named; None where that is not
    known.
    """

    model: type[Model]
    pk: str
    before: Image | None
    after: Image | None
    written: frozenset[str] | None = field(default=None, compare=False)

    @property
    def is_read(self) -> bool:
        """True if the row was only read, as by `invalidate()`: the transaction holds no lock."""
        return self.before is self.after

    def followed_by(self, later: Change) -> Change:
        """Return one change with the effect of this one and of a later one of the same row."""
        known = self.written is not None and later.written is not None
        written = self.written | later.written if known else None  # type: ignore[operator]
        return replace(self, after=later.after, written=written)


def merge(changes: Iterable[Change]) -> list[Change]:
    """Merge changes, in their order, into one a row: the first `before` and the last `after`.

    A row that was created and deleted within the transaction is dropped: no client has seen it.
    """
    merged: dict[tuple[type[Model], str], Change] = {}
    for change in changes:
        row = (change.model, change.pk)
        first = merged.get(row)
        merged[row] = first.followed_by(change) if first else change
    return [c for c in merged.values() if c.before is not None or c.after is not None]


@dataclass(frozen=True, slots=True)
class UnknownRows:
    """Unknown rows of a model changed; its topics are reset with the reason `reset`.

    `topics` are the topics to reset where those are known; None means all topics of the model's
    families.
    """

    model: type[Model]
    reset: str
    topics: frozenset[Topic] | None = None


@dataclass(frozen=True, slots=True)
class ParentRow:
    """A row of a parent's table changed, and rows of multi-table children change with it.

    The children's rows are read when the transaction commits. `pk` is the row's key as text;
    `identity` is what finds the row again: SQLite's number of the row, or the key as the driver
    returned it. `children` are the tracked models; `written` as for a Change.
    """

    model: type[Model]
    pk: str
    identity: tuple[Any, ...]
    children: tuple[type[Model], ...]
    written: frozenset[str] | None


JournalEntry = Change | UnknownRows | ParentRow | Message
"""An entry of a transaction's journal. A Message comes from `invalidate()`."""


def pk_text(pk: object) -> str:
    """Return a primary key as text; a composite key as JSON."""
    if isinstance(pk, tuple):
        return json.dumps(pk, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(pk)
