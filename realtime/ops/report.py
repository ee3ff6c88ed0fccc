"""One look at everything: the backend, the outbox, the processes that serve."""

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
"""Seconds between looks at the outbox."""

MOST_ROWS = 1_000
"""Rows of the outbox, the oldest, that are looked at again."""


class State(IntEnum):
    """How things are; the command's exit code."""

    WELL = 0
    BACKEND_AWAY = 1
    NOT_RUNNING = 2


class Outbox(msgspec.Struct, frozen=True):
    """Rows that `waiting` for the backend now, and how many of them no relay sends: `left`."""

    waiting: int
    left: int


class Answer(msgspec.Struct, frozen=True):
    """A process that serves, and how long it took, in seconds, to ask it and hear from it."""

    seconds: float
    process: ProcessStatus


class Report(msgspec.Struct):
    """What was found. `problems` is empty if all is well."""

    backend: str
    state: State = State.WELL
    problems: list[str] = []
    facts: dict[str, Any] = {}
    outbox: Outbox | None = None
    processes: list[Answer] | None = None
    """None where they cannot be asked: messages stay within each of them."""

    def find(self, state: State, problem: str) -> None:
        """Note a problem. A backend that is away decides on the state: the rest follows from it."""
        self.problems.append(problem)
        if state is State.BACKEND_AWAY or self.state is State.WELL:
            self.state = state


async def look(patience: float) -> Report:
    """Look at everything; `patience` is for how many seconds an answer is waited for."""
    pubsub = get_pubsub()
    report = Report(f"{type(pubsub).__module__}.{type(pubsub).__qualname__}")
    try:
        report.facts = dict(await _in_time(patience, pubsub.facts))
    except Exception as error:
        report.find(State.BACKEND_AWAY, f"the backend does not answer: {_text(error)}")
    for part, what in _away(report.facts):
        report.find(State.BACKEND_AWAY, f"a part of the backend is away: {part}: {what}")
    if isinstance(pubsub, OutboxPubSub):
        # Before anything is asked: for that a relay is begun here, which sweeps too.
        await _look_at_outbox(report, patience)
    if report.state is not State.BACKEND_AWAY and not pubsub.process_local:
        await _ask_processes(pubsub, report, patience)
    return report


def _away(facts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Give the parts, and what they say, of which the backend knows an `error` alone."""
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


async def _answers(pubsub: PubSub, patience: float) -> list[Answer]:
    """Return the answers of all processes, the quickest first."""
    found = await collect(pubsub, "status", ProcessStatus, patience, taking=patience)
    relay = relay_status()
    if not found and relay and (relay.away or relay.queued):
        raise NotTaken("it did not take a question in time")
    answers = [Answer(round(each.seconds, 4), each.reply) for each in found]
    return sorted(answers, key=lambda each: each.seconds)


async def _look_at_outbox(report: Report, patience: float) -> None:
    """Find out whether a relay sends what waits."""
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
        what = f"{len(left)} records wait in the outbox, and nobody sends them"
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
