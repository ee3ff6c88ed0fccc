"""Targets, whether they are met, and the reasons where they are missed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.report import table

_MEMORY = (
    "most of the memory is the server's own, as the bare loop shows; beyond that ours takes a third"
    " to a half of Channels' memory"
)

_STORM = (
    "Python's garbage collector traverses all connections repeatedly while clients connect:"
    ' see "collecting rarely"'
)

REASONS: dict[tuple[str, str], str] = {
    ("memory", "uvicorn"): _MEMORY,
    ("memory", "daphne"): _MEMORY,
    ("reconnect storm", "uvicorn"): _STORM,
    ("reconnect storm", "daphne"): _STORM,
}
"""The reason why a target is missed, by work and server."""


class Verdict(NamedTuple):
    """A target and its figure. `limit` is the least value, or with `at_most` the largest."""

    work: str
    server: str
    what: str
    limit: float
    found: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """True if the figure, rounded to two places, meets the target."""
        found = round(self.found, 2)
        return found <= self.limit if self.at_most else found >= self.limit

    def row(self) -> list[str]:
        """Return the table's row."""
        sign = "at most" if self.at_most else "at least"
        missed = f"missed: {REASONS.get((self.work, self.server), 'no reason known')}"
        found = [f"{self.found:,.2f}", "met" if self.is_met else missed]
        return [self.work, self.server, f"{self.what}: {sign} {self.limit:g}", *found]


def report(verdicts: Iterable[Verdict]) -> str:
    """Return the table of all targets."""
    header = ["work", "server", "target", "found", ""]
    return table(header, [verdict.row() for verdict in verdicts])
