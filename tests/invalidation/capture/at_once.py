"""Another connection that writes at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from django.db import connection, connections, transaction

WAIT = 60
"""Seconds after which a test fails."""


@contextmanager
def another() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Give a function that runs another on a connection of its own, until it waits or is done."""

    def start(write: Callable[[], Any]) -> Future[Any]:
        def work() -> Any:
            try:
                return write()
            finally:
                connections["default"].close()

        running = pool.submit(work)
        while not running.done() and not another_connection_waits():
            pass
        return running

    with ThreadPoolExecutor(4) as pool:
        yield start


def another_connection_waits() -> bool:
    """Return True if another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, whose content stays the same within a transaction.
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def uncommitted(write: Callable[[], Any]) -> Iterator[Callable[[], None]]:
    """Run `write` in a transaction of another connection; give the function that commits it."""
    written, ends = Event(), Event()

    def work() -> None:
        try:
            with transaction.atomic():
                write()
                written.set()
                assert ends.wait(WAIT)
        finally:
            written.set()
            connections["default"].close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        assert written.wait(WAIT)

        def end() -> None:
            ends.set()
            running.result(timeout=WAIT)

        try:
            yield end
        finally:
            end()
