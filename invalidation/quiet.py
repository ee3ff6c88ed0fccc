"""Write without row messages: `quiet()`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

from invalidation.changes import Entry, Unknown
from invalidation.tracking.write_plans import Plan
from realtime.messages.message import Reset


class _Mode(Enum):
    LOUD = "rows are told"
    RESET = "families are reset"
    SILENT = "nothing is told"


_mode: ContextVar[_Mode] = ContextVar("invalidation_quiet", default=_Mode.LOUD)


@contextmanager
def quiet(*, reset: bool = True) -> Iterator[None]:
    """Write without reading rows and without row messages, in this thread or task.

    What is written is told as resets of the families concerned, once a transaction, when it
    commits: surround an import by `transaction.atomic()` and its clients reload once.

    With `reset=False` nothing is told at all. You then know that nobody looks at these rows, or
    tell it yourself with `invalidate()`; otherwise clients go stale.
    """
    token = _mode.set(_Mode.RESET if reset else _Mode.SILENT)
    try:
        yield
    finally:
        _mode.reset(token)


def is_quiet() -> bool:
    """Are rows not to be told at the moment?"""
    return _mode.get() is not _Mode.LOUD


def is_silent() -> bool:
    """Is nothing at all to be told at the moment?"""
    return _mode.get() is _Mode.SILENT


def quiet_entries(plan: Plan) -> list[Entry]:
    """Return what to note of a write while it is quiet."""
    if is_silent():
        return []
    return [Unknown(declaration.model, Reset.BULK) for declaration in plan.concerned]
