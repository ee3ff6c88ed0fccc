"""`manage.py realtime_status`: report the state of backend, outbox and processes."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import msgspec

from realtime.ops.command import ExitsAtOnce
from realtime.ops.report import Answer, Report, look


class Command(ExitsAtOnce):
    """Reports the state of the backend, the outbox and the serving processes; by exit code too."""

    help = (
        "Report the state of the backend, the outbox and the serving processes. Exits with 0 if all"
        " is well, 1 if the backend is away, 2 if no process serves or none empties the outbox."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --json and --timeout."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--timeout",
            type=float,
            default=5.0,
            metavar="SECONDS",
            help="seconds that the backend and the processes may take to answer (default: 5)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the report; exit with its state."""
        report = asyncio.run(look(options["timeout"]))
        if options["json"]:
            self.stdout.write(msgspec.json.encode(report).decode())
        else:
            self.stdout.write("\n".join(_lines(report)))
        if report.state:
            sys.exit(report.state)


def _lines(report: Report) -> Iterator[str]:
    yield f"backend    {report.backend}"
    for name, value in report.facts.items():
        yield from _fact(name, value)
    if report.outbox is not None:
        yield f"outbox     {report.outbox.waiting} waiting, {report.outbox.left} left behind"
    if report.processes is None and not report.state:
        yield "processes  not asked: messages of this backend stay within each"
    for answer in report.processes or ():
        yield f"process    {_process(answer)}"
        for name, facts in (answer.process.sections or {}).items():
            told = ", ".join(f"{key} {value}" for key, value in facts.items())
            yield f"{name:<10} {answer.process.process}: {told}"
    yield from (f"problem    {problem}" for problem in report.problems)
    if not report.problems:
        yield "all is well"


def _fact(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name:<10} {value}"
        return
    for part, what in value.items():
        each = what.items() if isinstance(what, dict) else ()
        yield f"{name:<10} {part}: {', '.join(f'{k} {v}' for k, v in each) or what}"


def _process(answer: Answer) -> str:
    process = answer.process
    parts = [
        f"{process.host}:{process.pid}, answered in {answer.seconds * 1000:.0f} ms",
        f"{process.connections} connections to {process.topics} topics",
    ]
    if process.draining:
        parts.append("draining: new clients are refused")
    if relay := process.relay:
        swept = "never" if relay.swept is None else f"{relay.swept:g} s ago"
        away = ", and the backend does not take them" if relay.away else ""
        parts.append(f"relay {relay.lag:g} s behind with {relay.queued} records{away}")
        parts.append(f"last sweep {swept}")
    return "; ".join(parts)
