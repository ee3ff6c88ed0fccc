"""Saying once that something is away, and once that it is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger("realtime.outbox")


class Outage:
    """Is `what` away? Any thread may say so.

    The lock is the state itself, and nobody ever waits for it: so each change is one thread's to
    log, and a process that is forked meanwhile is not stuck.
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
        """Is it away?"""
        return self._away.locked()

    def begin(self, error: BaseException) -> None:
        """Note that it is away; log that unless it is known."""
        if self._away.acquire(blocking=False):
            self._log("%s: %s; %s", self._what, str(error) or repr(error), self._so)

    def end(self) -> bool:
        """Note that it works; say whether it was away."""
        if self._away.locked():
            # Somebody else may note the same.
            with suppress(RuntimeError):
                self._away.release()
                return True
        return False
