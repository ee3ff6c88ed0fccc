"""The report of `realtime_status`: the backend, the outbox, the serving processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from time import monotonic
from typing import Any, TypeVar

import msgspec
from django.db import connections

from realtime.backends import get_pubsub
from realtime.backends.base import PubSub
from realtime.backends.outbox import rows
from realtime.backends.outbox.process import relay_status
from realtime.backends.outbox.pubsub import OutboxPubSub
from realtime.concurrency import off_loop
from realtime.conf import conf
from realtime.ops.process import ProcessStatus
from realtime.ops.rpc import NotTaken, collect

T = TypeVar("T")

PAUSE = 0.1
"""Seconds between reads of the outbox."""

MOST_ROWS = 1_000
"""Rows of each outbox table, the oldest, that are read to see whether a relay sends them."""


class State(IntEnum):
    """The overall state, which is the command's exit code."""

    WELL = 0
    BACKEND_AWAY = 1
    NOT_RUNNING = 2


class Outbox(msgspec.Struct, frozen=True):
    """`waiting`: rows not sent to the backend yet. `left`: those of them that no relay sends."""

    waiting: int
    left: int


class AnsweredStatus(msgspec.Struct, frozen=True):
    """A serving process, and the seconds from the call to its reply."""

    seconds: float
    process: ProcessStatus


class Report(msgspec.Struct):
    """The findings. `problems` is empty if all is well."""

    backend: str
    state: State = State.WELL
    problems: list[str] = []
    facts: dict[str, Any] = {}
    outbox: Outbox | None = None
    processes: list[AnsweredStatus] | None = None
    """None if they cannot be called: the backend's messages stay within each process."""

    def find(self, state: State, problem: str) -> None:
        """Add a problem. BACKEND_AWAY overrides other states, since it causes other problems."""
        self.problems.append(problem)
        if state is State.BACKEND_AWAY or self.state is State.WELL:
            self.state = state


async def look(patience: float) -> Report:
    """Make the report; each answer may take `patience` seconds."""
    pubsub = get_pubsub()
    report = Report(f"{type(pubsub).__module__}.{type(pubsub).__qualname__}")
    try:
        report.facts = dict(await _in_time(patience, pubsub.facts))
    except Exception as error:
        report.find(State.BACKEND_AWAY, f"the backend does not answer: {_text(error)}")
    for part, what in _away(report.facts):
        report.find(State.BACKEND_AWAY, f"a part of the backend is away: {part}: {what}")
    if isinstance(pubsub, OutboxPubSub):
        # Before the call to the processes: that starts a relay here, which sends waiting rows.
        await _look_at_outbox(report, patience)
    if report.state is not State.BACKEND_AWAY and not pubsub.process_local:
        await _ask_processes(pubsub, report, patience)
    return report


def _away(facts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the name and error of each part of the backend whose facts have an `error`."""
    for parts in facts.values():
        for part, what in parts.items() if isinstance(parts, dict) else ():
            if isinstance(what, dict) and "error" in what:
                yield part, what["error"]


async def _ask_processes(pubsub: PubSub, report: Report, patience: float) -> None:
    try:
        report.processes = await _answers(pubsub, patience)
    except NotTaken as error:
        report.find(State.BACKEND_AWAY, f"the backend carries no messages: {error}")
        return
    if not report.processes:
        what = f"no process that serves has answered within {patience:g} seconds"
        report.find(State.NOT_RUNNING, what)


async def _answers(pubsub: PubSub, patience: float) -> list[AnsweredStatus]:
    """Return the replies of all processes, the fastest first."""
    found = await collect(pubsub, "status", ProcessStatus, patience, taking=patience)
    relay = relay_status()
    if not found and relay and (relay.away or relay.queued):
        raise NotTaken("it did not take a question in time")
    answers = [AnsweredStatus(round(each.seconds, 4), each.reply) for each in found]
    return sorted(answers, key=lambda each: each.seconds)


async def _look_at_outbox(report: Report, patience: float) -> None:
    """Check that a relay sends the waiting rows, within two sweeps."""
    try:
        seen = await _in_time(patience, _waiting)
        left = seen
        deadline = monotonic() + 2 * conf.OUTBOX_SWEEP + 1
        while left and report.state is not State.BACKEND_AWAY and monotonic() < deadline:
            await asyncio.sleep(PAUSE)
            left = left & await _in_time(patience, _waiting)
    except Exception as error:
        report.find(State.NOT_RUNNING, f"the outbox cannot be read: {_text(error)}")
        return
    report.outbox = Outbox(len(seen), len(left))
    if left:
        what = f"{len(left)} records wait in the outbox, and no process sends them"
        report.find(State.NOT_RUNNING, what)


async def _in_time(patience: float, function: Callable[[], T]) -> T:
    async with asyncio.timeout(patience):
        return await off_loop(function)


def _waiting() -> frozenset[tuple[str, str, int]]:
    return frozenset(
        (alias, table.__name__, row)
        for alias in connections
        for table in rows.tables_on(alias)
        for row in rows.ids(alias, table, 0, MOST_ROWS)
    )


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
