"""The relay: a thread that sends committed messages to the backend."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

from django.db import Error, connections

from realtime.backends.outage import Outage
from realtime.backends.outbox import rows
from realtime.backends.outbox.queue import Item, Queue, Sender, Stored, Unstored
from realtime.backends.outbox.send import send_all
from realtime.backends.outbox.stats import RelayStatus, metrics
from realtime.backends.outbox.sweep import SWEEP_BATCH, Sweep
from realtime.concurrency import Backoff
from realtime.conf import conf
from realtime.exceptions import NotSent, PartlySent
from realtime.messages.message import Message

logger = logging.getLogger("realtime.outbox")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds between attempts at a backend that is away: see Backoff."""

PART_AWAY_INTERVAL = 0.5
"""Seconds between sweeps while a part of the backend is away: its messages wait in the outbox."""

CLOSE_IDLE_AFTER = 0.5
"""Seconds without work after which the database connections are closed."""


class Relay:
    """Sends queued items in their order, and between their batches the rows that a sweep finds.

    Owner of all but the queue: its thread. An item leaves the queue when the backend has taken it.
    So after a failure the relay sends it again before later items.
    """

    def __init__(self) -> None:
        self.queue = Queue(conf.OUTBOX_QUEUE)
        self.sweeps_for: Sender | None = None
        """The backend for the rows that a sweep finds; without one the relay does not sweep.

        Any thread may set it.
        """
        self._sweep = Sweep(self._send_swept)
        self._sweeping: Iterator[int] | None = None
        self._next_sweep = 0.0
        self._swept: float | None = None
        """When the last sweep ended, by `monotonic()`."""
        self._last_used: Sender | None = None
        self._backend = Outage(
            logger,
            away="the backend does not take messages; they wait in the outbox",
            back="the backend takes messages again",
        )
        self._part = Outage(
            logger,
            away="a part of the backend does not take messages; they wait in the outbox",
            back="all parts of the backend take messages again",
        )
        self._database = Outage(
            logger,
            away="cannot send from the outbox; messages wait there",
            back="sending from the outbox works again",
        )
        self._taken = 0
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._thread = threading.Thread(target=self._run, name="realtime-relay", daemon=True)

    @property
    def runs(self) -> bool:
        """True while its thread runs."""
        return self._thread.is_alive()

    def status(self) -> RelayStatus:
        """Return the relay's state; from any thread."""
        return RelayStatus(
            queued=len(self.queue),
            lag=round(self.queue.lag(), 3),
            swept=None if self._swept is None else round(monotonic() - self._swept, 1),
            away=self._backend.lasts or self._part.lasts,
        )

    def start(self) -> None:
        """Start the thread; raise RuntimeError if that is impossible."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread, and wait for that at most `seconds`. Queued rows stay in the table."""
        self.queue.close()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def flush(self, seconds: float) -> bool:
        """Wait at most `seconds` until all queued items are sent; return True if they are.

        Do not wait while the backend is away.
        """
        hopeless = self._backend.lasts or not self.runs
        return self.queue.wait_until_empty(0 if hopeless else seconds)

    def _run(self) -> None:
        try:
            while not self.queue.closed:
                self._turn()
        finally:
            connections.close_all()
            if self._last_used is not None:
                self._last_used.ended()

    def _turn(self) -> None:
        sent, self._taken = metrics.sent, 0
        try:
            worked = self._send_queued()
            worked = self._send_left_behind() or worked
        except PartlySent as error:
            self._note_partly(error)
            self._sweeping = None
            self._next_sweep = min(self._next_sweep, monotonic() + PART_AWAY_INTERVAL)
        except NotSent as error:
            metrics.count("failed")
            self._backend.begin(error)
            self._try_again_later()
        except Exception:
            # Any error: messages wait, and only this thread sends them.
            logger.exception("the relay failed, and continues")
            self._try_again_later()
        else:
            self._note_success(metrics.sent - sent)
            if not worked:
                self._wait_for_work()

    def _send_queued(self) -> bool:
        """Send the first batch of the queue; return True if there was one."""
        batch = self.queue.head(SWEEP_BATCH)
        if not batch:
            return False
        try:
            if isinstance(batch[0], Stored):
                self._send_rows(batch[0], [item.row for item in batch if isinstance(item, Stored)])
            else:
                self._send_unstored(batch)
        except PartlySent as error:
            # Messages for other parts must not wait behind these. A sweep sends the stored ones.
            self.queue.done(len(batch))
            if isinstance(batch[0], Stored):
                raise
            if not batch[0].passing:
                unsent = tuple(each for each in error.unsent if isinstance(each, Message))
                self.queue.put(Unstored(batch[0].pubsub, unsent))
            # Not raised: sweeps must not wait behind these messages either.
            self._note_partly(error)
            self.queue.wait_until_closed(FIRST_PAUSE)
            return True
        except NotSent:
            if isinstance(batch[0], Unstored) and batch[0].passing:
                self.queue.done(len(batch))
            raise
        self.queue.done(len(batch))
        return True

    def _send_unstored(self, batch: Sequence[Item]) -> None:
        unstored = (item.messages for item in batch if isinstance(item, Unstored))
        self._send_to(batch[0].pubsub, [message for each in unstored for message in each])
        metrics.count("sent", len(batch))

    def _send_rows(self, first: Stored, chosen: Sequence[int]) -> None:
        alias = first.place[0]
        if first.place != rows.place(alias):
            return  # a test's database, dropped meanwhile
        try:
            rows.send(chosen, alias, lambda messages: self._send_to(first.pubsub, messages))
        except Error as error:
            # The rows are still in the table: the next sweep sends them.
            self._database.begin(error)
            connections[alias].close()
        else:
            self._database.end()

    def _send_left_behind(self) -> bool:
        """Send a batch of a sweep, or after a spill all rows; return True if more may follow."""
        if not self.queue.head(1) and self.queue.take_spill():
            self._send_spilled()
            return True
        if self._sweeping is None and monotonic() >= self._next_sweep:
            self._next_sweep = monotonic() + conf.OUTBOX_SWEEP * random.uniform(0.8, 1)  # noqa: S311
            self._sweeping = self._sweep.steps() if self.sweeps_for else None
        if self._sweeping is not None and next(self._sweeping, None) is None:
            self._sweeping = None
            self._swept = monotonic()
            self._part.end()
        return self._sweeping is not None

    def _send_spilled(self) -> None:
        """Send all rows in the tables. Rows committed meanwhile are queued, and sent later."""
        try:
            for _ in self._sweep.steps(everything=True):
                if self.queue.closed:
                    break
        except BaseException:
            self.queue.spill()
            raise

    def _send_swept(self, messages: Sequence[Message]) -> None:
        pubsub = self.sweeps_for or self._last_used
        if pubsub is None:
            raise NotSent("the project's backend has changed, and none sends through the outbox")
        self._send_to(pubsub, messages)

    def _send_to(self, pubsub: Sender, messages: Sequence[Message]) -> None:
        self._last_used = pubsub
        send_all(pubsub, messages)
        self._taken += 1

    def _note_partly(self, error: PartlySent) -> None:
        metrics.count("failed")
        self._part.begin(error)

    def _try_again_later(self) -> None:
        self._sweeping = None
        connections.close_all()
        self.queue.wait_until_closed(self._backoff.next())

    def _note_success(self, sent: int) -> None:
        if self._taken:
            self._backoff.reset()
            if self._backend.lasts:
                waited = sent + max(len(self.queue), self._sweep.count())
                self._backend.end(f"; {waited} records waited")

    def _wait_for_work(self) -> None:
        """Wait for an item or the next sweep; close the database connections meanwhile."""
        if not self.queue.wait_for_items(min(CLOSE_IDLE_AFTER, self._next_sweep - monotonic())):
            connections.close_all()
            self.queue.wait_for_items(self._next_sweep - monotonic())
