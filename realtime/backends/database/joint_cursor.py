"""One cursor for the positions in several histories: those of a project's databases."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.messages.cursors import Cursor

_EPOCHS, _OFFSETS = "~", "_"
"""Separators that never occur within a single history's epochs, and within its offsets."""


def join(cursors: Sequence[Cursor]) -> Cursor:
    """Return the one cursor that holds all of these, in their order."""
    if len(cursors) == 1:
        return cursors[0]
    epochs = _EPOCHS.join(cursor.epoch for cursor in cursors)
    return Cursor(epochs, _OFFSETS.join(cursor.offset for cursor in cursors))


def split(cursor: Cursor, count: int) -> list[Cursor] | None:
    """Return the `count` cursors that were joined; None if `cursor` is not such a cursor."""
    if count == 1:
        return [cursor]
    epochs, offsets = cursor.epoch.split(_EPOCHS), cursor.offset.split(_OFFSETS)
    if len(epochs) != count or len(offsets) != count or not all((*epochs, *offsets)):
        return None
    return [Cursor(*pair) for pair in zip(epochs, offsets, strict=True)]
