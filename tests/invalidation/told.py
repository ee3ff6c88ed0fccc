"""Read the stored records, as lines that a test can compare.

A line is `topic label pk verb`, or `topic reset reason`.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, Model

from invalidation.changes import pk_text
from realtime.backends.database.record import Record, record_of
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.models import StoredRecord


class Told:
    """Reads the records that were stored since the last read."""

    def __init__(self) -> None:
        # A fresh database already holds a record.
        self._seen = StoredRecord.objects.aggregate(newest=Max("id"))["newest"] or 0

    def records(self) -> list[set[str]]:
        """Return the lines of each new record."""
        new = [r for r in _all_records() if int(r.cursor.offset) > self._seen]
        self._seen = max([self._seen, *(int(record.cursor.offset) for record in new)])
        return [set().union(*map(lines_of, record.messages)) for record in new]

    def __call__(self) -> set[str]:
        """Return the lines of the one new record; an empty set if there is none."""
        records = self.records()
        assert len(records) <= 1, f"expected one record a transaction, got {records}"
        return records[0] if records else set()


def _all_records() -> list[Record]:
    rows = StoredRecord.objects.order_by("id").values_list("token", "id", "payload")
    return [record_of(payload, Cursor(token, str(pk)), pk) for token, pk, payload in rows]


def lines_of(message: Message) -> set[str]:
    """Return the lines of one message."""
    if message.reset:
        return {f"{message.topic} reset {message.reset}"}
    return {
        f"{message.topic} {label} {pk} {verb}"
        for label, rows in message.changes.items()
        for pk, verb in rows.items()
    }


def lines(row: Model | tuple[type[Model], object], verb: str, *topics: str) -> set[str]:
    """Return the lines of a row's change: to its model's topic, its own topic and `topics`."""
    model, pk = (type(row), row.pk) if isinstance(row, Model) else row
    label = model._meta.concrete_model._meta.label_lower
    own = ("model:" + label, Topic.of("object", label, pk_text(pk)))
    return {f"{topic} {label} {pk_text(pk)} {verb}" for topic in (*own, *topics)}


def moved(row: Model, left: Iterable[str], entered: Iterable[str], updated: Iterable[str] = ()):
    """Return the lines of a row that changed topics."""
    label, pk = row._meta.concrete_model._meta.label_lower, pk_text(row.pk)
    return (
        lines(row, "updated", *updated)
        | {f"{topic} {label} {pk} left" for topic in left}
        | {f"{topic} {label} {pk} entered" for topic in entered}
    )


def resets(model: type[Model], *families: str) -> set[str]:
    """Return the lines of a bulk reset of a model's families."""
    label = model._meta.concrete_model._meta.label_lower
    return {f"{topic} reset bulk" for topic in (f"model:{label}", f"object:{label}/", *families)}
