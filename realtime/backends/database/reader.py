"""The thread that looks for new stored records."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from weakref import WeakSet

from django.db import Error, connections

from realtime.backends.database import records
from realtime.backends.database.record import Record
from realtime.backends.database.wakeup import waiter_for
from realtime.backends.outage import Outage
from realtime.concurrency import Backoff
from realtime.exceptions import UpstreamLost
from realtime.messages.cursors import NOWHERE, Cursor

logger = logging.getLogger("realtime.database")

REOPEN = {"sqlite": 10.0, "postgresql": 300.0}
"""Seconds after which the connection is made anew: so it is noticed that a database file was
replaced under its old name, or a server under its own."""

NET = 1.0
"""Seconds between looks where news is announced: not every announcement arrives."""

ALERT = 30.0
"""Seconds for which it looks at every interval, once something came unannounced."""

BREATH = 0.005
"""Seconds between two looks at least, however often it is woken."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts at a database that is away: see Backoff. The rows stay meanwhile."""

ENDS_WITHIN = 5.0
"""Seconds that whoever stops a reader waits for its look to end."""

_readers: WeakSet[Reader] = WeakSet()
_readers_lock = threading.Lock()


def wake_readers(alias: str) -> None:
    """Let this process's readers of `alias` look at once, after a commit of their own process."""
    with _readers_lock:
        for reader in _readers:
            if reader.alias == alias:
                reader.wake()


class Reader:
    """Reads the records behind a position, in a thread of its own, until stopped.

    `on_batch(alias, position, records)` and `on_lost(why)` are called in that thread. After
    `on_lost` the thread is gone: what followed its position may have vanished.

    Owner of the position, the connection and the marks: the thread. The events are shared; when
    a look began is written by the thread and read by others.
    """

    def __init__(
        self,
        alias: str,
        *,
        interval: float,
        retention: float,
        on_batch: Callable[[str, Cursor, Sequence[Record]], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.alias = alias
        self._interval = interval
        self._retention = retention
        self._on_batch = on_batch
        self._on_lost = on_lost
        self._position = NOWHERE
        self._version: object = None
        self._reopen_at = 0.0
        self._marks: deque[tuple[float, Cursor]] = deque()
        self._waiter = waiter_for(alias)
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._outage = Outage(
            logger,
            away=f"cannot read stored records on {alias!r}, trying again",
            back=f"stored records on {alias!r} can be read again",
            level=logging.WARNING,
        )
        self._alert_until = 0.0
        self._stopped = threading.Event()
        self._looking_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="realtime-reader", daemon=True)

    def start(self, position: Cursor) -> None:
        """Begin to read behind `position`, which is exact: see `records.head_to_read_from()`."""
        self._position = position
        with _readers_lock:
            _readers.add(self)
        self._thread.start()

    def wake(self) -> None:
        """Look for news now."""
        self._waiter.wake()

    def has_hung(self, seconds: float) -> bool:
        """Has a look at the database been under way for longer than that?"""
        since = self._looking_since
        return since is not None and monotonic() - since > seconds

    def stop(self) -> None:
        """End the thread and wait for it; at most a look's time, and not for one that hangs."""
        self._stopped.set()
        self._waiter.wake()
        with _readers_lock:
            _readers.discard(self)
        if self._thread.ident is not None:
            self._thread.join(ENDS_WITHIN)
        else:
            self._waiter.close()

    def _run(self) -> None:
        woken = True
        try:
            while not self._stopped.is_set():
                self._looking_since = monotonic()
                found = self._look_patiently()
                self._looking_since = None
                if found and not woken:
                    self._alert_until = monotonic() + ALERT
                woken = self._wait()
        except UpstreamLost as error:
            self._on_lost(str(error))
        except Exception as error:
            logger.exception("the reader of %r died; its clients are reset", self.alias)
            self._on_lost(f"the reader died: {error!r}")
        finally:
            connections[self.alias].close()
            self._waiter.close()

    def _wait(self) -> bool:
        """Wait for the next look; return whether somebody has asked for it."""
        announced = self._waiter.hears_others and monotonic() >= self._alert_until
        if self._waiter.hears_others:
            self._stopped.wait(BREATH)
        return self._waiter.wait(max(NET, self._interval) if announced else self._interval)

    def _look_patiently(self) -> bool:
        """Look for news; return whether there were records."""
        found = False
        try:
            self._reopen_now_and_then()
            if self._something_committed():
                found = self._read()
                self._prune()
        except Error as error:
            self._outage.begin(error)
            self._reopen_at = 0.0
            # What was announced meanwhile was not heard.
            self._alert_until = monotonic() + ALERT
            self._stopped.wait(self._backoff.next())
        else:
            self._outage.end()
            self._backoff.reset()
        return found

    def _reopen_now_and_then(self) -> None:
        if monotonic() >= self._reopen_at:
            connections[self.alias].close()
            self._version = None
            self._waiter.reopened()
            self._reopen_at = monotonic() + REOPEN[connections[self.alias].vendor]

    def _something_committed(self) -> bool:
        version = records.version(self.alias)
        changed = version is None or version != self._version
        # Taken before the rows are read: a commit in between is seen by the next look.
        self._version = version
        return changed

    def _read(self) -> bool:
        more, any_records = True, False
        while more and not self._stopped.is_set():
            found = records.read_after(self._position, self.alias)
            if found is None:
                raise UpstreamLost(f"what followed {self._position} is not there any more")
            if found.position != self._position:
                self._position = found.position
                self._on_batch(self.alias, self._position, found.records)
            any_records = any_records or bool(found.records)
            more = found.more
        return any_records

    def _prune(self) -> None:
        """Delete what this reader saw longer ago than the retention.

        By when it was seen, not by when it was written: a row written early in a long transaction
        is new when it appears.
        """
        now = monotonic()
        if not self._marks or now - self._marks[-1][0] > self._retention / 20:
            self._marks.append((now, self._position))
        if now - self._marks[0][0] > self._retention:
            records.prune(self._marks.popleft()[1], self.alias)
