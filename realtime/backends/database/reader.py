"""The thread that polls for new stored records."""

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

REOPEN_AFTER = {"sqlite": 10.0, "postgresql": 300.0}
"""Seconds after which the connection is reopened, to notice that a database file, or a server, was
replaced under the same name.
"""

NOTIFIED_INTERVAL = 1.0
"""Seconds between polls where commits are notified: not every notification arrives."""

UNNOTIFIED_FOR = 30.0
"""Seconds for which every interval is polled, after a record arrived without a notification."""

SHORTEST_INTERVAL = 0.005
"""Seconds between two polls at least, however often the reader is woken."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts at a database that is away: see Backoff. The rows stay meanwhile."""

STOP_TIMEOUT = 5.0
"""Seconds that `stop()` waits for the poll to end."""

_readers: WeakSet[Reader] = WeakSet()
_readers_lock = threading.Lock()


def wake_readers(alias: str) -> None:
    """Wake this process's readers of `alias`, after a commit in this process."""
    with _readers_lock:
        for reader in _readers:
            if reader.alias == alias:
                reader.wake()


class Reader:
    """Reads the records behind a position, in a thread of its own, until stopped.

    The thread calls `on_batch(alias, position, records)` and `on_lost(why)`. After `on_lost` the
    thread has ended: records behind its position may be missing.

    The thread owns the position, the connection and the times of the positions read. The events are
    shared. The thread writes when a poll began, other threads read it.
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
        self._read_at: deque[tuple[float, Cursor]] = deque()
        self._waiter = waiter_for(alias)
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._outage = Outage(
            logger,
            away=f"cannot read stored records on {alias!r}, trying again",
            back=f"stored records on {alias!r} can be read again",
            level=logging.WARNING,
        )
        self._unnotified_until = 0.0
        self._stopped = threading.Event()
        self._polling_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="realtime-reader", daemon=True)

    def start(self, position: Cursor) -> None:
        """Begin to read behind `position`, which is exact: see `records.head_to_read_from()`."""
        self._position = position
        with _readers_lock:
            _readers.add(self)
        self._thread.start()

    def wake(self) -> None:
        """Poll now."""
        self._waiter.wake()

    def has_hung(self, seconds: float) -> bool:
        """Return True if a poll has been under way for longer than that."""
        since = self._polling_since
        return since is not None and monotonic() - since > seconds

    def stop(self) -> None:
        """End the thread and wait for its poll to end, at most STOP_TIMEOUT seconds."""
        self._stopped.set()
        self._waiter.wake()
        with _readers_lock:
            _readers.discard(self)
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT)
        else:
            self._waiter.close()

    def _run(self) -> None:
        woken = True
        try:
            while not self._stopped.is_set():
                self._polling_since = monotonic()
                found = self._poll()
                self._polling_since = None
                if found and not woken:
                    self._unnotified_until = monotonic() + UNNOTIFIED_FOR
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
        """Wait for the next poll; return True if the reader was woken."""
        announced = self._waiter.receives_notifications and monotonic() >= self._unnotified_until
        if self._waiter.receives_notifications:
            self._stopped.wait(SHORTEST_INTERVAL)
        return self._waiter.wait(
            max(NOTIFIED_INTERVAL, self._interval) if announced else self._interval
        )

    def _poll(self) -> bool:
        """Read new records; return True if there were any."""
        found = False
        try:
            self._reopen_if_due()
            if self._something_committed():
                found = self._read()
                self._prune()
        except Error as error:
            self._outage.begin(error)
            self._reopen_at = 0.0
            # A notification may have been missed meanwhile.
            self._unnotified_until = monotonic() + UNNOTIFIED_FOR
            self._stopped.wait(self._backoff.next())
        else:
            self._outage.end()
            self._backoff.reset()
        return found

    def _reopen_if_due(self) -> None:
        if monotonic() >= self._reopen_at:
            connections[self.alias].close()
            self._version = None
            self._waiter.reopened()
            self._reopen_at = monotonic() + REOPEN_AFTER[connections[self.alias].vendor]

    def _something_committed(self) -> bool:
        version = records.version(self.alias)
        changed = version is None or version != self._version
        # Taken before the rows are read: the next poll sees a commit in between.
        self._version = version
        return changed

    def _read(self) -> bool:
        more, any_records = True, False
        while more and not self._stopped.is_set():
            found = records.read_after(self._position, self.alias)
            if found is None:
                raise UpstreamLost(f"records behind {self._position} are gone")
            if found.position != self._position:
                self._position = found.position
                self._on_batch(self.alias, self._position, found.records)
            any_records = any_records or bool(found.records)
            more = found.more
        return any_records

    def _prune(self) -> None:
        """Delete the records that this reader saw longer ago than the retention.

        The time is when a record was seen, not when it was written: a row written early in a long
        transaction is new when it appears.
        """
        now = monotonic()
        if not self._read_at or now - self._read_at[-1][0] > self._retention / 20:
            self._read_at.append((now, self._position))
        if now - self._read_at[0][0] > self._retention:
            records.prune(self._read_at.popleft()[1], self.alias)
