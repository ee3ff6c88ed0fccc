"""Compare the rows of one table before and after a write with what capture noted."""

from __future__ import annotations

from typing import Any

from invalidation.changes import Change, JournalEntry, UnknownRows, pk_text
from invalidation.tracking.declarations import Declaration
from invalidation.tracking.matching import topics_of
from tests.django_suite.tables import Row, columns_of

Rows = dict[str, list[Row]]


def misses(
    declaration: Declaration, before: Rows, after: Rows, noted: list[JournalEntry], connection: Any
) -> tuple[int, list[str]]:
    """Return how many rows changed, and a description of each that was not noted as it was."""
    changed = [
        key for key in before | after if repr(before.get(key, [])) != repr(after.get(key, []))
    ]
    if not changed or _is_reset(declaration, noted):
        return len(changed), []
    told = _changes(declaration, noted)
    found = []
    for key in changed:
        did = [_image(declaration, row, connection) for row in before.get(key, [])]
        does = [_image(declaration, row, connection) for row in after.get(key, [])]
        if problem := _problem(declaration, did, does, told):
            found.append(f"{declaration.label}: {problem}")
    return len(changed), found


def _is_reset(declaration: Declaration, noted: list[JournalEntry]) -> bool:
    return any(
        isinstance(entry, UnknownRows)
        and entry.model is declaration.model
        and (entry.topics is None or declaration.model_topic in entry.topics)
        for entry in noted
    )


def _changes(declaration: Declaration, noted: list[JournalEntry]) -> dict[str, Change]:
    """Return the table's changes of the statement, merged: the first before, the last after."""
    merged: dict[str, Change] = {}
    for entry in noted:
        if isinstance(entry, Change) and entry.model is declaration.model:
            known = merged.get(entry.pk)
            merged[entry.pk] = known.followed_by(entry) if known else entry
    return merged


Known = tuple[str, dict[str, Any]]
"""A row's primary key as text, and its image, by Django's own conversions."""


def _image(declaration: Declaration, row: Row, connection: Any) -> Known:
    fields = columns_of(declaration)
    values = []
    for field, raw in zip(fields, row, strict=True):
        column = field.get_col(declaration.model._meta.db_table)
        value = raw
        for convert in (
            *connection.ops.get_db_converters(column),
            *column.get_db_converters(connection),
        ):
            value = convert(value, column, connection)
        values.append(value)
    width = len(declaration.model._meta.pk_fields)
    pk = values[0] if width == 1 else tuple(values[:width])
    image = {field.attname: v for field, v in zip(fields[width:], values[width:], strict=True)}
    return pk_text(pk), image


def _problem(
    declaration: Declaration, did: list[Known], does: list[Known], told: dict[str, Change]
) -> str | None:
    """Return what was noted otherwise than it happened, or None."""
    if len(did) > 1 or len(does) > 1:
        return None if (did + does)[0][0] in told else "a row with a key that others share: untold"
    pk = (did + does)[0][0]
    change = told.get(pk)
    happened = f"row {pk} {did} -> {does}"
    if change is None:
        return f"untold: {happened}"
    for name, ours, real in (("before", change.before, did), ("after", change.after, does)):
        image = real[0][1] if real else None
        if topics_of(declaration, pk, ours) != topics_of(declaration, pk, image):
            return f"told to other topics, by the row {name} = {ours}: {happened}"
        if not _same(ours, image):
            return f"told with another image {name} = {ours}: {happened}"
    return None


def _same(ours: Any, image: dict[str, Any] | None) -> bool:
    if ours is None or image is None:
        return ours is image
    return all(ours[name] == image[name] or repr(ours[name]) == repr(image[name]) for name in ours)
