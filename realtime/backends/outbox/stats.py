"""What this process's relay has done, counted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec


@dataclass(slots=True)
class Metrics:
    """Counts since the process began; any thread may count.

    sent      records that the backend took
    swept     those of them that were found by a sweep, most often left behind by another process
    failed    attempts that the backend did not take
    spilled   records whose turn was left to the table, since the queue in memory was full
    reset     records without a row whose topics' families were reset instead, for the same reason
    refused   messages that the backend will never take, and that became a reset of their topic
    """

    sent: int = 0
    swept: int = 0
    failed: int = 0
    spilled: int = 0
    reset: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, name: str, by: int = 1) -> None:
        """Add to the count `name`."""
        with self._lock:
            setattr(self, name, getattr(self, name) + by)

    def clear(self) -> None:
        """Begin anew, as a forked process does."""
        self._lock = threading.Lock()
        for name in ("sent", "swept", "failed", "spilled", "reset", "refused"):
            setattr(self, name, 0)


metrics = Metrics()
"""This process's counts."""


class RelayStatus(msgspec.Struct, frozen=True):
    """How a relay does. Times are in seconds.

    `queued` counts what was committed in its process and not sent yet, the first of it `lag` ago.
    `swept` ago it had last looked for what others left behind; None before its first look.
    `away` says that the backend does not take what it sends.
    """

    queued: int
    lag: float
    swept: float | None
    away: bool
