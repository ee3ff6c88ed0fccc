"""Logging once that a service is away, and once that it is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger("realtime.outbox")


class Outage:
    """Whether a service is away. Any thread may report it.

    The lock is the state itself, and no thread ever waits for it. So exactly one thread logs each
    change, and a process that is forked meanwhile does not block.
    """

    def __init__(
        self,
        what: str,
        so: str = "messages wait in the outbox",
        log: Callable[..., None] = logger.error,
    ) -> None:
        self._what = what
        self._so = so
        self._log = log
        self._away = threading.Lock()

    @property
    def lasts(self) -> bool:
        """True while the service is away."""
        return self._away.locked()

    def begin(self, error: BaseException) -> None:
        """Record that the service is away; log it the first time."""
        if self._away.acquire(blocking=False):
            self._log("%s: %s; %s", self._what, str(error) or repr(error), self._so)

    def end(self) -> bool:
        """Record that the service works; return True if it was away."""
        if self._away.locked():
            # Another thread may end the outage at the same time.
            with suppress(RuntimeError):
                self._away.release()
                return True
        return False
