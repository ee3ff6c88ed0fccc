"""Hide the packages' own queries from the log of queries that Django's tests count.

A tracked write has more queries: capture reads rows, begins a transaction where there is none, and
stores messages. Tests that count queries must see Django's own alone, and still fail if those
differ.

The statement that stands for Django's own carries capture's marker. Every other query that capture
sends, beneath nothing but Django's database layer, is capture's own; so is each query with a
function of `realtime` in its stack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.db.backends import utils
from django.db.backends.base import base

from invalidation.capture.sql_marker import has_marker

_ROOT = Path(__file__).resolve().parents[2]
_DJANGO = Path(django.__file__).parent
_CAPTURE, _REALTIME = f"{_ROOT}/invalidation/", f"{_ROOT}/realtime/"
_PASSED_THROUGH = (
    f"{_DJANGO}/db/backends/",
    f"{_DJANGO}/db/transaction.py",
    f"{_DJANGO}/utils/asyncio.py",
    f"{_ROOT}/invalidation/transactions/follow.py",
    f"{_ROOT}/tests/django_suite/",
    contextmanager.__code__.co_filename,
)
_STANDS_FOR_NOTHING = frozenset({"touch_parents", "take_write_lock"})
"""Functions of capture whose statements have the marker, and are not Django's."""

_hidden = 0


def figures() -> dict[str, int]:
    """Return how many queries were hidden."""
    return {"hidden_queries": _hidden}


def hide() -> None:
    """Hide them from here on."""
    wrapper: Any = utils.CursorDebugWrapper
    wrapper.debug_sql = _hiding(wrapper.debug_sql, lambda _, sql=None, *rest, **more: sql)
    base.debug_transaction = _hiding(base.debug_transaction, lambda _, sql: sql)


def _hiding(original: Callable[..., Any], sql_of: Callable[..., Any]) -> Any:
    @contextmanager
    def log(*args: Any, **kwargs: Any) -> Iterator[None]:
        global _hidden  # noqa: PLW0603
        if _is_own(sql_of(*args, **kwargs)):
            _hidden += 1
            yield
        else:
            with original(*args, **kwargs):
                yield

    return log


def _is_own(sql: object) -> bool:
    files = [(each.f_code.co_filename, each.f_code.co_name) for each in _stack()]
    if any(file.startswith(_REALTIME) for file, _ in files):
        return True
    callers = [(file, name) for file, name in files if not file.startswith(_PASSED_THROUGH)]
    ours = []
    for file, name in callers:
        if not file.startswith(_CAPTURE):
            break
        ours.append(name)
    stands_for_django = isinstance(sql, str) and has_marker(sql)
    return bool(ours) and not (stands_for_django and _STANDS_FOR_NOTHING.isdisjoint(ours))


def _stack() -> Iterator[Any]:
    frame: Any = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
