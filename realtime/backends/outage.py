"""Log once that something is away, and once that it works again."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress


class Outage:
    """Whether something is away: a backend, a database. Any thread may begin and end it.

    For each outage `away` is logged once, at `level` and followed by the error, and `back` once, as
    a warning. An error of another type than `expected` is a bug: it is logged as an error, with its
    traceback.

    The state is a lock that is never waited for. So if several threads note the same change, one of
    them logs it; and a process that forks meanwhile does not hang.
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
        """True during an outage."""
        return self._away.locked()

    def begin(self, error: BaseException) -> bool:
        """Record an error; return True if the outage begins with it."""
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
        """Record a success; return True if an outage ends with it. `detail` follows `back`."""
        if not self._away.locked():
            return False
        # Another thread may record a success at the same moment.
        with suppress(RuntimeError):
            self._away.release()
            self._logger.warning("%s%s", self._messages[1], detail)
        return True
