"""The cost of tracking for a write: the same table tracked and untracked, in turns.

A round gives each competitor a turn at the same work, every other round in the opposite order.
Ratios compare turns of one round, since a disturbance of the machine affects all of them. A turn's
figure is its median write, which excludes rare events such as a checkpoint or a stall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from benchmarks.orm_databases import DATABASES, databases
from benchmarks.orm_works import WORKS, Work
from benchmarks.report import machine, percentile, table

ROUNDS = 15
ROUNDS_OF_ONE = 5
"""Rounds of works whose turn is a single write of many rows."""
WARM_UP = 4
"""Writes at the beginning of any other turn that are not counted."""

UNTRACKED_TARGET = 1.02
SINGLE = ("create", "save", "delete")
"""Works of one row, which are also measured with the app not installed."""
_PYTHON = (
    "the commit does not wait for the disk, so all of Python's work counts: reading the row, making"
    " its messages and storing them takes twice the time of Django's own statement"
)
_FAST_DISK = (
    "as without a wait for the disk: this disk answers at once, so its wait hides little of"
    " Python's work"
)
_ROUND_TRIPS = "five statements instead of one: BEGIN, the write, the record, COMMIT and NOTIFY"
_STATEMENT_JOURNAL = (
    "within a transaction SQLite journals the changes of each statement, to be able to undo it"
    " alone, as for an untracked UPDATE in `atomic()`; in autocommit it does not"
)
REASONS = {
    **{(work, "sqlite"): _PYTHON for work in SINGLE},
    **{(work, "sqlite-fsync"): _FAST_DISK for work in SINGLE},
    **{(work, "postgresql"): _ROUND_TRIPS for work in SINGLE},
    **{(work, "postgresql-careless"): _ROUND_TRIPS for work in SINGLE},
    ("update-100000", "sqlite"): _STATEMENT_JOURNAL,
    ("update-100000", "sqlite-fsync"): _STATEMENT_JOURNAL,
}
"""Why the target of the tracked table is missed, by work and alias."""

HEADER = ["work", "untracked ms", "app installed", "tracked", "images=False", "target"]

Times = dict[str, list[float]]
"""Seconds of one write in each round, by competitor."""


def run(only: Sequence[str] = ()) -> str:
    """Measure and return the report; `only` names works and databases, by default all."""
    names = [work.name for work in WORKS]
    if unknown := set(only) - {*names, *DATABASES}:
        raise SystemExit(f"no such part: {sorted(unknown)}; there are {[*names, *DATABASES]}")
    works = [work for work in WORKS if work.name in only] or WORKS
    aliases = [alias for alias in DATABASES if alias in only] or list(DATABASES)
    with databases(aliases):
        parts = [
            _report(alias, [(work, _measure(work, alias)) for work in works]) for alias in aliases
        ]
    return "\n\n".join([machine(), *parts])


def _measure(work: Work, alias: str) -> Times:
    from django.test import override_settings

    backend = {
        "BACKEND": "realtime.backends.database.DatabasePubSub",
        "OPTIONS": {"aliases": [alias]},
    }
    with override_settings(REALTIME={"PUBSUB": backend}):
        competitors = _competitors()
        if work.name not in SINGLE:
            del competitors["not installed"]
        times: Times = {name: [] for name in competitors}
        for number in range(ROUNDS_OF_ONE if work.writes == 1 else ROUNDS):
            for name in list(competitors)[:: -1 if number % 2 else 1]:
                times[name].append(_turn(work, alias, *competitors[name]))
    return times


def _competitors() -> dict[str, tuple[Any, Any]]:
    from benchmarks.models import Imageless, Tracked, Untracked

    return {
        "not installed": (Untracked, _not_installed),
        "untracked": (Untracked, nullcontext),
        "tracked": (Tracked, nullcontext),
        "images=False": (Imageless, nullcontext),
    }


def _turn(work: Work, alias: str, model: Any, surrounding: Any) -> float:
    warm_up = WARM_UP if work.writes > 1 else 0
    took = []
    with surrounding():
        for write in list(work.prepare(model, alias, warm_up + work.writes)):
            begun = time.perf_counter()
            write()
            took.append(time.perf_counter() - begun)
    if work.writes == 1:
        _tidy(alias)
    return statistics.median(took[warm_up:])


def _tidy(alias: str) -> None:
    """Restore the table for the next turn by removing old versions of rows, which take space."""
    from django.db import connections

    with connections[alias].cursor() as cursor:
        if connections[alias].vendor == "postgresql":
            cursor.execute("VACUUM")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _not_installed() -> Iterator[None]:
    """Restore Django's own methods within the block."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql import compiler

    owners = (
        BaseDatabaseWrapper,
        compiler.SQLInsertCompiler,
        compiler.SQLUpdateCompiler,
        compiler.SQLDeleteCompiler,
    )
    wrapped = [
        (owner, name, method)
        for owner in owners
        for name, method in vars(owner).items()
        if hasattr(method, "__wrapped_by_invalidation__")
    ]
    for owner, name, method in wrapped:
        setattr(owner, name, method.__wrapped__)
    try:
        yield
    finally:
        for owner, name, method in wrapped:
            setattr(owner, name, method)


def _report(alias: str, measured: Sequence[tuple[Work, Times]]) -> str:
    rows, missed = [], []
    for work, times in measured:
        row, problems = _row(work, alias, times)
        rows.append(row)
        missed += [f"* {work.name}: {problem}" for problem in problems]
    blocks = [f"{DATABASES[alias]}:", table(HEADER, rows), "\n".join(["Missed:", "", *missed])]
    return "\n\n".join(blocks if missed else blocks[:2])


def _row(work: Work, alias: str, times: Times) -> tuple[list[str], list[str]]:
    base = times["untracked"]
    ratios = {name: [a / b for a, b in zip(times[name], base, strict=True)] for name in times}
    if "not installed" in ratios:
        ratios["app installed"] = [1 / ratio for ratio in ratios["not installed"]]
    target = work.targets.get(alias.partition("-")[0])
    reason = REASONS.get((work.name, alias), "no reason known")
    problems = []
    if _misses(ratios.get("app installed"), UNTRACKED_TARGET):
        problems.append(f"untracked, target {UNTRACKED_TARGET}: no reason known")
    if has_missed := _misses(ratios["tracked"], target):
        problems.append(f"tracked, target {target}: {reason}")
    figures = [_spread(ratios[name]) if name in ratios else "" for name in HEADER[2:5]]
    goal = "" if target is None else f"{target}{', missed' if has_missed else ''}"
    return [work.name, f"{statistics.median(base) * 1000:.3g}", *figures, goal], problems


def _misses(ratios: Sequence[float] | None, target: float | None) -> bool:
    return bool(ratios and target and round(statistics.median(ratios), 2) > target)


def _spread(ratios: Sequence[float]) -> str:
    low, high = percentile(ratios, 25), percentile(ratios, 75)
    return f"{statistics.median(ratios):.2f} ({low:.2f}-{high:.2f})"
