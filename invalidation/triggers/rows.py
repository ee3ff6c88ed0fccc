"""SQL expressions for the keys and topics of a model's rows, in a trigger."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from invalidation.tracking.declarations import Declaration
from invalidation.tracking.templates import Column, Template
from invalidation.triggers.quoting import identifier, literal
from invalidation.triggers.spelling import is_spelled
from realtime.messages.message import Reset
from realtime.messages.topics import Topic


class RowsInSql:
    """SQL for the rows of one declared model, as far as SQL can spell them; a row is named `r`."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._keys = [field.attname for field in declaration.model._meta.pk_fields]
        fields: dict[str, Any] = {
            field.attname: field for field in declaration.model._meta.local_concrete_fields
        }
        self._columns = {name: f.column for name, f in fields.items() if is_spelled(f)}
        """By attname, the columns that SQL spells as Python does."""
        self._told = [t for t in declaration.templates if t.columns <= self._columns.keys()]

    @property
    def can_be_told(self) -> bool:
        """True if SQL can spell keys and relation ends. Otherwise all families must be reset."""
        ends = (end.column for end in self._declaration.ends)
        return self._columns.keys() >= {*self._keys, *ends}

    @property
    def unspelled(self) -> str:
        """SQL for the resets of the families whose topics SQL cannot spell."""
        others = {t.family for t in self._declaration.templates if t not in self._told}
        computed = (rule.families for rule in self._declaration.computed)
        return resets(others.union(*computed), Reset.RAW_SQL)

    @property
    def key(self) -> str:
        """SQL for a row's primary key, as `pk_text` spells it."""
        columns = [self._columns[name] for name in self._keys]
        if len(columns) == 1:
            return self.text(self._keys[0])
        parts = (f"@schema@.livequery_json(r.{identifier(column)})" for column in columns)
        return "'[' || " + " || ',' || ".join(parts) + " || ']'"

    @property
    def topics(self) -> list[str]:
        """SQL for each topic that a row may belong to, as a row of VALUES."""
        return [f"({topic})" for topic in self._topics()]

    def text(self, attname: str) -> str:
        """Return SQL for a column's value, as `str()` spells it."""
        return f"@schema@.livequery_text(r.{identifier(self._columns[attname])})"

    def _topics(self) -> Iterator[str]:
        declaration = self._declaration
        yield literal(declaration.model_topic)
        # The query has a composite key as `pk`.
        pk = self._part(self._keys[0]) if len(self._keys) == 1 else "@schema@.livequery_part(pk)"
        yield f"{literal(declaration.object_family)} || {pk}"
        yield from map(self._filled, self._told)

    def _filled(self, template: Template) -> str:
        parts = [
            self._part(part.attname)
            if isinstance(part, Column)
            else literal(Topic.of("family", part).key)
            for part in template.parts
        ]
        return " || '/' || ".join([f"{literal(template.family)} || {parts[0]}", *parts[1:]])

    def _part(self, attname: str) -> str:
        return f"@schema@.livequery_part(r.{identifier(self._columns[attname])})"


def resets(families: Collection[Topic], why: str) -> str:
    """Return an SQL literal of messages that reset these families; NULL if there are none."""
    if not families:
        return "NULL"
    members = (json.dumps({"topic": family, "reset": why}) for family in sorted(families))
    return literal(",".join(members))
