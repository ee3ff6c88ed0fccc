"""Logging once that something is away, and once that it works again."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress


class Outage:
    """Is something away? Any thread may say so.

    `away` and `back` are logged, once each an outage: `away` at `level` with the error behind it,
    `back` as a warning. An error of another type than `expected` is a bug, and is logged as an
    error with its traceback.

    The state is a lock that is only ever tried, never waited for. So of threads that note the same
    change one logs it, and a process that is forked meanwhile is not stuck.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        away: str,
        back: str,
        level: int = logging.ERROR,
        expected: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    ) -> None:
        self._logger = logger
        self._messages = away, back
        self._level = level
        self._expected = expected
        self._away = threading.Lock()

    @property
    def lasts(self) -> bool:
        """Is it away?"""
        return self._away.locked()

    def begin(self, error: BaseException) -> bool:
        """Note that it is away; return whether that is new."""
        away, _ = self._messages
        if not self._away.acquire(blocking=False):
            self._logger.debug("%s, still: %s", away, error)
            return False
        if isinstance(error, self._expected):
            self._logger.log(self._level, "%s: %s", away, str(error) or repr(error))
        else:
            self._logger.error("%s", away, exc_info=error)
        return True

    def end(self, detail: str = "") -> bool:
        """Note that it works; return whether it was away. `detail` is logged behind `back`."""
        if not self._away.locked():
            return False
        # Another thread may note the same at this moment.
        with suppress(RuntimeError):
            self._away.release()
            self._logger.warning("%s%s", self._messages[1], detail)
        return True
