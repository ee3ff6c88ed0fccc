"""Base classes of the management commands that call the serving processes."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, ClassVar, TypeVar

import msgspec
from django.core.management import BaseCommand, CommandError

from realtime.backends import get_pubsub
from realtime.ops.rpc import NotTaken, Reply, collect

NO_ANSWER = 2
"""The exit code if no process has answered."""

R = TypeVar("R", bound=Reply)


class ExitsAtOnce(BaseCommand):
    """A command whose process exits without joining threads that may hang."""

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command and exit at once: Python would first join threads that may hang."""
        try:
            super().run_from_argv(argv)
        except SystemExit as error:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.code if isinstance(error.code, int) else 1)


class AskingCommand(ExitsAtOnce):
    """A command that calls the serving processes and prints their replies.

    It exits with 0; with 1 if the backend is away; with 2 if no process has answered.
    """

    takes_limit: ClassVar[bool] = False
    takes_process: ClassVar[bool] = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --json and --timeout, and --limit and --process where the command takes them."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        if self.takes_limit:
            what = "print at most this many rows, the largest first (default: 100)"
            parser.add_argument("--limit", type=positive, default=100, metavar="ROWS", help=what)
        if self.takes_process:
            what = "ask only this process, by its name in realtime_status"
            parser.add_argument("--process", default="", metavar="HOST:PID", help=what)
        what = "seconds that the processes may take to answer (default: 5)"
        parser.add_argument("--timeout", type=seconds, default=5.0, metavar="SECONDS", help=what)

    def ask(self, what: str, kind: type[R], options: dict[str, Any], **more: Any) -> list[R]:
        """Return the processes' replies; print why and exit with 2 if there are none."""
        pubsub = get_pubsub()
        if pubsub.process_local:
            self._exit_without_answer(
                "messages of this backend stay within each process: none can be asked"
            )
        to, patience = options.get("process") or "", options["timeout"]
        expected = [to] if ":" in to else []
        more = {"to": to, "expected": expected} | more
        try:
            answers = asyncio.run(collect(pubsub, what, kind, patience, **more))
        except NotTaken as error:
            raise CommandError(f"the backend carries no messages: {error}") from error
        if not answers:
            absent = f"{to} has not" if to else "no process that serves has"
            self._exit_without_answer(f"{absent} answered within {patience:g} seconds")
        return [answer.reply for answer in answers]

    def print_json(self, value: object) -> None:
        """Print a value as one JSON object."""
        self.stdout.write(msgspec.json.encode(value).decode())

    def print_table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows with their columns aligned: text to the left, numbers to the right."""
        body = [[str(cell) for cell in row] for row in rows]
        columns = [_aligned(column) for column in zip(heads, *body, strict=True)]
        for line in zip(*columns, strict=True):
            self.stdout.write("  ".join(line).rstrip())

    def print_left_off(self, left_off: int) -> None:
        """Print how many rows the limit has left off, if any."""
        if left_off > 0:
            self.stdout.write(f"and {left_off} more: see --limit")

    def _exit_without_answer(self, why: str) -> None:
        self.stderr.write(why)
        sys.exit(NO_ANSWER)


def positive(text: str) -> int:
    """Parse a command's argument as a whole number above 0."""
    return _above(0, int(text), text)


def seconds(text: str) -> float:
    """Parse a command's argument as a number above 0."""
    return _above(0, float(text), text)


def _aligned(column: Sequence[str]) -> list[str]:
    """Pad the cells of a column, whose first is the head, to one width."""
    width = max(map(len, column))
    is_text = not all(cell[:1].isdigit() or cell == "-" for cell in column[1:])
    return [cell.ljust(width) if is_text else cell.rjust(width) for cell in column]


N = TypeVar("N", int, float)


def _above(least: int, number: N, text: str) -> N:
    if not least < number < inf:
        raise ArgumentTypeError(f"expected a number above {least}, got {text}")
    return number


def lasting(age: float) -> str:
    """Return seconds as text for people: 12 s, 3 min, 5 h, 2 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if age >= 2 * size:
            return f"{age // size:.0f} {unit}"
    return f"{age:.0f} s"
