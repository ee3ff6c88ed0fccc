"""`quiet()`: write without row messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

from invalidation.changes import JournalEntry, UnknownRows
from invalidation.tracking.write_plans import WritePlan
from realtime.messages.message import Reset


class _Mode(Enum):
    NORMAL = "row messages"
    RESET = "resets of families"
    SILENT = "no messages"


_mode: ContextVar[_Mode] = ContextVar("invalidation_quiet", default=_Mode.NORMAL)


@contextmanager
def quiet(*, reset: bool = True) -> Iterator[None]:
    """Write without reading rows and without row messages, in this thread or task.

    Each transaction resets the families that its writes concern, once, when it commits. Surround an
    import by `transaction.atomic()`, and its clients reload once.

    With `reset=False` nothing is published. Use it only if no client watches these rows, or if you
    call `invalidate()` yourself; otherwise clients go stale.
    """
    token = _mode.set(_Mode.RESET if reset else _Mode.SILENT)
    try:
        yield
    finally:
        _mode.reset(token)


def is_quiet() -> bool:
    """Return True inside a `quiet()` block: writes note no rows."""
    return _mode.get() is not _Mode.NORMAL


def is_silent() -> bool:
    """Return True inside a `quiet(reset=False)` block: writes note nothing."""
    return _mode.get() is _Mode.SILENT


def quiet_entries(plan: WritePlan) -> list[JournalEntry]:
    """Return the journal entries of a write inside a `quiet()` block."""
    if is_silent():
        return []
    return [UnknownRows(declaration.model, Reset.BULK) for declaration in plan.concerned]
