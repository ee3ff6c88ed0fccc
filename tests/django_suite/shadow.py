"""The shadow: what each ORM write changed in the tables, beside what capture noted.

Around each outermost execute method of Django's write compilers it reads all tracked tables by
plain SQL, through the driver. A row that differs afterwards must have been noted: by a Change with
the row's images before and after, or by an entry that resets its model. It reads every write, not a
sample; a write that it cannot judge is counted with the reason.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler

from invalidation.changes import Change, JournalEntry, UnknownRows
from invalidation.transactions.driver_state import has_failed
from invalidation.transactions.journal import Journal, journal_of
from tests.django_suite.every_model import track_model
from tests.django_suite.judge import misses
from tests.django_suite.tables import Tables, read_tables

MOST_KEPT = 50
"""Missed rows that are described one by one; all are counted."""

_current = threading.local()
_writers: Counter[threading.Thread] = Counter()
"""The writes of each thread. Those of two threads at the same time cannot be told apart."""
_lock = threading.Lock()
_counts: Counter[str] = Counter()
_missed: list[str] = []


def figures() -> dict[str, Any]:
    """Return the counts of writes and rows, and descriptions of missed rows."""
    return {"shadow": dict(_counts), "missed": _missed}


def install() -> None:
    """Wrap the compilers' methods, around capture's own wrappers."""
    for compiler, name in (
        (SQLInsertCompiler, "execute_sql"),
        (SQLUpdateCompiler, "execute_sql"),
        (SQLUpdateCompiler, "execute_returning_sql"),
        (SQLDeleteCompiler, "execute_sql"),
    ):
        if hasattr(compiler, name):
            setattr(compiler, name, _wrap(getattr(compiler, name)))
    add: Any = Journal.add
    Journal.add = _noting(add)  # type: ignore[method-assign]


def _noting(add: Callable[..., None]) -> Any:
    @wraps(add)
    def note(self: Journal, entries: Any) -> None:
        entries = list(entries)
        if (noted := getattr(_current, "noted", None)) is not None:
            noted.extend(entries)
        add(self, entries)

    return note


def _wrap(original: Callable[..., Any]) -> Any:
    @wraps(original)
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        model = self.query.model
        if getattr(_current, "noted", None) is not None or not track_model(
            model._meta.concrete_model
        ):
            return original(self, *args, **kwargs)
        return _watch(lambda: original(self, *args, **kwargs), self)

    return execute


def _watch(run: Callable[[], Any], compiler: Any) -> Any:
    connection = connections[compiler.using]
    connection.ensure_connection()
    _counts["writes"] += 1
    if not _is_usable(connection):
        _counts["not judged: the transaction had failed"] += 1
        return run()
    others = _writes_of_others()
    before = read_tables(connection)
    noted: list[JournalEntry] = []
    noted += [UnknownRows(each, "bulk") for each in journal_of(connection)._reset_models]
    _current.noted = noted
    try:
        result = run()
    finally:
        _current.noted = None
    if others is None or _writes_of_others() != others:
        _counts["not judged: other threads wrote"] += 1
    elif not _is_usable(connection):
        _counts["not judged: the transaction had failed"] += 1
    else:
        _judge(before, read_tables(connection), noted, connection, compiler)
    return result


def _is_usable(connection: Any) -> bool:
    closed = connection.connection is None or connection.closed_in_transaction
    return not closed and not has_failed(connection)


def _writes_of_others() -> int | None:
    """Return how often other threads have written so far; None if one of them lives."""
    with _lock:
        _writers[threading.current_thread()] += 1
        others = {each: n for each, n in _writers.items() if each is not threading.current_thread()}
        return None if any(each.is_alive() for each in others) else sum(others.values())


def _judge(
    before: Tables, after: Tables, noted: list[JournalEntry], connection: Any, compiler: Any
) -> None:
    _counts["judged"] += 1
    _counts["changes noted"] += sum(isinstance(entry, Change) for entry in noted)
    _counts["resets noted"] += sum(isinstance(entry, UnknownRows) for entry in noted)
    changed = 0
    for declaration in before.keys() & after.keys():
        rows, missed = misses(
            declaration, before[declaration], after[declaration], noted, connection
        )
        changed += rows
        _counts["missed"] += len(missed)
        for text in missed:
            if len(_missed) < MOST_KEPT:
                _missed.append(f"{text}\n{_where(compiler)}")
    _counts["rows changed"] += changed


def _where(compiler: Any) -> str:
    """Return the statement's kind and the lines of the test that wrote it."""
    lines = [
        f"  {each.filename.rpartition('/tests/')[2]}:{each.lineno} {each.line}"
        for each in traceback.extract_stack()
        if "/.django-suite/" in each.filename and "runtests" not in each.filename
    ]
    return "\n".join([f"  {type(compiler).__name__} on {compiler.query.model._meta.label}", *lines])
