"""Find and send unsent rows, most of them of processes that crashed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from django.db import connections

from realtime.backends.outage import Outage
from realtime.backends.outbox import rows
from realtime.backends.outbox.stats import metrics
from realtime.exceptions import NotSent, PartlySent
from realtime.messages.message import Message
from realtime.models import OutboxRecord

logger = logging.getLogger("realtime.outbox")

SWEEP_BATCH = 100
"""Rows that are locked and sent together."""

SWEEP_PAGE = 1_000
"""Ids that are read at once. A full page is a backlog: its rows are sent when first seen."""


class Sweep:
    """Sends the rows left in the outboxes of all databases, one sweep after another.

    Owner: one thread. A row counts as left if the previous sweep saw it already. Its age does not
    count: a row that was written early in a long transaction is new when it appears, and its own
    process sends it. No process sends the records of triggers, so a sweep sends them when it first
    sees them.
    """

    def __init__(self, send: Callable[[Sequence[Message]], None]) -> None:
        self._send = send
        # A test's database takes over an alias; a sweep for the earlier database must skip it.
        self._places = {alias: rows.place(alias) for alias in connections}
        self._seen: dict[str, frozenset[int]] = {}
        self._outages: dict[str, Outage] = {}
        self._partly: PartlySent | None = None

    def steps(self, *, everything: bool = False) -> Iterator[int]:
        """Sweep once: send the rows left, or with `everything` all rows.

        Each step sends one batch, and yields the number of rows sent. Raise NotSent if the backend
        does not take them; if only a part of it does not, raise PartlySent at the end. A database
        that fails is skipped, see `broken()`.
        """
        self._partly = None
        for alias, place in self._places.items():
            outage = self._outages.setdefault(alias, _outage(alias))
            try:
                for table in rows.tables_on(alias) if place == rows.place(alias) else ():
                    yield from self._steps(alias, table, everything)
                outage.end()
            except NotSent:
                raise
            except Exception as error:
                outage.begin(error)
                connections[alias].close()
        if self._partly is not None:
            raise self._partly

    def broken(self) -> list[str]:
        """Return the databases that failed in the last sweep."""
        return [alias for alias, outage in self._outages.items() if outage.lasts]

    def count(self) -> int:
        """Return the number of waiting rows on all databases that answer."""
        total = 0
        for alias, place in self._places.items():
            try:
                if place == rows.place(alias):
                    total += rows.count(alias)
            except Exception:
                logger.debug("cannot count the rows on %r", alias, exc_info=True)
                connections[alias].close()
        return total

    def _steps(self, alias: str, table: rows.Table, everything: bool) -> Iterator[int]:
        everything = everything or table is not OutboxRecord
        seen = self._seen.get(alias, frozenset())
        last, full = 0, True
        while full:
            page = rows.ids(alias, table, last, SWEEP_PAGE)
            full = len(page) == SWEEP_PAGE
            last = page[-1] if page else last
            due = page if everything or full else [row for row in page if row in seen]
            for start in range(0, len(due), SWEEP_BATCH):
                yield self._send_rows(due[start : start + SWEEP_BATCH], alias, table)
        if table is OutboxRecord:
            self._seen[alias] = frozenset(page)

    def _send_rows(self, due: Sequence[int], alias: str, table: rows.Table) -> int:
        before = metrics.sent
        try:
            rows.send(due, alias, self._send, table)
        except PartlySent as error:
            self._partly = error
        sent = metrics.sent - before
        metrics.count("swept", sent)
        return sent


def _outage(alias: str) -> Outage:
    return Outage(
        logger,
        away=f"cannot read the outbox on {alias!r}; messages wait there",
        back=f"the outbox on {alias!r} can be read again",
    )
