"""Counts of this process's relay."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec


@dataclass(slots=True)
class Metrics:
    """Counts since the process began; any thread may count.

    sent      records that the backend took
    swept     sent records that a sweep found, most of them left by another process
    failed    attempts to send that the backend did not accept
    spilled   records that the full queue rejected; the relay reads them from the table
    reset     records without a row that the full queue rejected; their families were reset
    refused   messages that the backend will never take; their topics were reset
    """

    sent: int = 0
    swept: int = 0
    failed: int = 0
    spilled: int = 0
    reset: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, name: str, by: int = 1) -> None:
        """Add `by` to the count `name`."""
        with self._lock:
            setattr(self, name, getattr(self, name) + by)

    def clear(self) -> None:
        """Start at zero, as a forked process does."""
        self._lock = threading.Lock()
        for name in ("sent", "swept", "failed", "spilled", "reset", "refused"):
            setattr(self, name, 0)


metrics = Metrics()
"""This process's counts."""


class RelayStatus(msgspec.Struct, frozen=True):
    """The state of a relay. Times are in seconds.

    `queued` counts the items committed in its process and not sent yet; the first has waited for
    `lag`. `swept` is the time since its last sweep; None before the first. `away` is True while the
    backend does not take messages.
    """

    queued: int
    lag: float
    swept: float | None
    away: bool
