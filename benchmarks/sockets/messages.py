"""The messages sent: changed rows, of which the first holds the time of sending.

A pk like `@17-123456789` belongs to message 17, sent at that nanosecond of the machine's clock; the
message's further rows are like `r17-1`. All peers send the same frame as our server.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

LABEL = "bench.row"
FAMILY = "row"

STAMP = re.compile(rb'"@(\d+)-(\d+)')
STAMP_START = b'"@'
"""Occurs in a frame once for each message."""

_CURSOR = "r3.AbCdEfGhIjKl.1234.567890.r3.AbCdEfGhIjKl.1234.567890"
"""About as long as one of our cursors."""


ONE_IN = 10
"""One user in this many is refused."""

RULE_TAKES = 0.002
"""Seconds for which a rule that asks a database waits for its answer."""


def is_refused(number: int) -> bool:
    """Return True if the rule refuses this topic's user when it is asked again."""
    return number % ONE_IN == 1  # not 0: the stage asks about user 0 before


def topic(number: int) -> str:
    """Return a topic's name."""
    return f"{FAMILY}:{number}"


def pks(number: int, rows: int) -> list[str]:
    """Return the pks of the rows of a message that is sent now."""
    first = f"@{number}-{time.monotonic_ns()}"
    return [first, *(f"r{number}-{row}" for row in range(1, rows))]


def frame(name: str, changed: list[str]) -> str:
    """Return the frame that peers send, as long as ours."""
    entry = {"cursor": _CURSOR, "changes": {LABEL: {"updated": changed}}}
    return json.dumps({"type": "changed", "topics": {name: entry}}, separators=(",", ":"))


def due(count: int, rate: float) -> Iterator[tuple[int, float]]:
    """Yield the numbers of messages, each with the seconds to wait before it."""
    began = time.monotonic()
    for number in range(count):
        pause = began + number / rate - time.monotonic() if rate else 0.0
        yield number, max(0.0, pause)
