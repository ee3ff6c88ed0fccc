"""A process that writes: `python -m tests.convergence.writer NAME SEED RATE RAW LOG`.

It writes until its standard input has the line `stop` or ends. After the line `hold SECONDS` the
next transaction stays open for so long after its last write. After the line `die` the process kills
itself in the next transaction: before its commit, or right after it.

Each commit adds a line to LOG: the time, the kind, and the rows of topics that it wrote. The line
is written after the commit, so its time is never before the commit's.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import django
from django.db import DatabaseError, InterfaceError, connection, transaction

RAW_SHARE = 0.01
LONGEST_OPEN = 0.6
PATIENCE = 0.2
"""Seconds from a database error to the next transaction."""


class RolledBack(Exception):
    """Rolls a transaction back, as an error in a project's code would."""


class Writer:
    """Runs random transactions of every kind, at a rate."""

    def __init__(self, name: str, seed: str, rate: float, raw: bool, log: Path) -> None:
        from tests.convergence.writes import Writes

        self._draw = Random(seed)
        self._writes = Writes(self._draw, name)
        self._pause = 1 / rate
        self._raw = raw
        self._log = log.open("a", buffering=1)
        self._orders: queue.Queue[list[str]] = queue.Queue()
        self._order: list[str] = []
        self._told: list[tuple[str, str, str]] = []
        self._kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "statement": (40, self._writes.one),
            "transaction": (25, self._several),
            "savepoint": (12, self._with_a_savepoint_undone),
            "rollback": (8, self._rolled_back),
            "long": (4, self._long),
        }

    def run(self) -> None:
        """Write until the line `stop`."""
        threading.Thread(target=self._listen, daemon=True).start()
        while self._read_order() != ["stop"]:
            began = time.monotonic()
            try:
                self._one()
            except (DatabaseError, InterfaceError) as error:
                # A deadlock, or the database went away: the transaction is rolled back.
                self._note("refused", why=str(error)[:200])
                if self._order:
                    self._orders.put(self._order)
                connection.close()
                time.sleep(PATIENCE)
            spent = time.monotonic() - began
            time.sleep(max(0.0, self._draw.uniform(0, 2 * self._pause) - spent))

    def record(self, sender: Any, changes: Any, **_: object) -> None:
        """Record the topics of the changed rows; a receiver of `rows_changed`."""
        for change in changes or ():
            label = sender._meta.label_lower
            images = [image for image in (change.before, change.after) if image is not None]
            topics = {topic for image in images for topic in _topics_of(label, image)}
            self._told += [(topic, label, change.pk) for topic in sorted(topics)]

    def _one(self) -> None:
        self._told = []
        if self._order:
            kind = self._order[0]
            self._obey(*self._order)
        elif self._raw and self._draw.random() < RAW_SHARE:
            kind = "raw"
            self._writes.raw()
        else:
            names = list(self._kinds)
            (kind,) = self._draw.choices(names, [self._kinds[name][0] for name in names])
            self._kinds[kind][1]()
        self._note(kind, told=self._told)

    def _several(self) -> None:
        with transaction.atomic():
            for _ in range(self._draw.randint(2, 5)):
                self._writes.one()

    def _with_a_savepoint_undone(self) -> None:
        with transaction.atomic():
            self._writes.one()
            try:
                with transaction.atomic():
                    self._writes.one()
                    raise RolledBack
            except RolledBack:
                self._writes.one()

    def _rolled_back(self) -> None:
        try:
            with transaction.atomic():
                self._several()
                raise RolledBack
        except RolledBack:
            pass

    def _long(self) -> None:
        with transaction.atomic():
            self._writes.one()
            time.sleep(self._draw.uniform(0, LONGEST_OPEN))
            self._writes.one()

    def _obey(self, order: str, seconds: str = "0") -> None:
        with transaction.atomic():
            self._several()
            if order == "die" and self._draw.random() < 0.5:
                _die()
            time.sleep(float(seconds))
        if order == "die":
            _die()

    def _read_order(self) -> list[str]:
        try:
            self._order = self._orders.get_nowait()
        except queue.Empty:
            self._order = []
        return self._order

    def _listen(self) -> None:
        for line in sys.stdin:
            self._orders.put(line.split())
        self._orders.put(["stop"])

    def _note(self, kind: str, **more: object) -> None:
        self._log.write(json.dumps({"at": time.monotonic(), "kind": kind, **more}) + "\n")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _topics_of(label: str, image: Any) -> list[str]:
    if label == "board.share":
        return [f"shares:{image['owner_id']}"]
    if label == "board.comment":
        return [f"comments:{image['author_id']}"]
    topics = [f"list:{image['list_id']}"]
    return topics if image["assignee_id"] is None else [*topics, f"user:{image['assignee_id']}"]


def main(name: str, seed: str, rate: str, raw: str, log: str) -> None:
    """Set Django up and write until the line `stop`."""
    django.setup()
    from invalidation import rows_changed

    writer = Writer(name, seed, float(rate), raw == "yes", Path(log))
    rows_changed.connect(writer.record)
    writer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
