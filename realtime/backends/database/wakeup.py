"""Waiting between two polls of the database, until a commit or a timeout."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Any, Protocol

from django.db import Error, connections

CHANNEL = "livequery"
"""The channel of PostgreSQL's NOTIFY after a commit. The notification has no payload."""


class Waiter(Protocol):
    """Lets one thread wait; any other thread may wake it."""

    receives_notifications: bool
    """True if commits of other processes wake it."""

    def wake(self) -> None:
        """End the current wait, or the next one."""

    def wait(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return True if woken."""

    def reopened(self) -> None:
        """Take note that the thread's connection was reopened."""

    def close(self) -> None:
        """Release all resources."""


class ProcessWaiter:
    """A Waiter that only commits of its own process wake."""

    receives_notifications = False

    def __init__(self) -> None:
        self._news = threading.Event()

    def wake(self) -> None:
        """End the current wait, or the next one."""
        self._news.set()

    def wait(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return True if woken."""
        woken = self._news.wait(seconds)
        self._news.clear()
        return woken

    def reopened(self) -> None:
        """Do nothing: this needs no connection."""

    def close(self) -> None:
        """Do nothing."""


class NotifyWaiter:
    """A Waiter that PostgreSQL's NOTIFY wakes too.

    Through a pooler that assigns connections by transaction no notification arrives: the reader
    must poll at intervals all the same.
    """

    receives_notifications = True

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._notified = False
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def wake(self) -> None:
        """End the current wait, or the next one."""
        with suppress(OSError):  # full, so it will wake; or closed, so no thread waits
            self._theirs.send(b"!")

    def wait(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return True if woken."""
        if self._notified:
            seconds = 0
        driver = connections[self._alias].connection
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            # A lost connection has no socket: the next poll opens another.
            with suppress(Exception):
                selector.register(driver.pgconn.socket, selectors.EVENT_READ, driver)
            ready = selector.select(seconds)
        for key, _ in ready:
            if key.data is not None:
                self._take(key.data)
            else:
                with suppress(BlockingIOError):
                    while self._ours.recv(1024):
                        pass
        woken = bool(ready) or self._notified
        self._notified = False
        return woken

    def reopened(self) -> None:
        """Send LISTEN on the new connection, before anything is read on it."""
        connection: Any = connections[self._alias]
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        # The driver handles notifications that arrive while a query runs.
        driver = connection.connection
        if hasattr(driver, "add_notify_handler"):
            driver.add_notify_handler(self._note)

    def close(self) -> None:
        """Close the sockets."""
        self._ours.close()
        self._theirs.close()

    def _take(self, driver: Any) -> None:
        # A lost connection is readable; the next poll reports the error.
        with suppress(Exception):
            driver.pgconn.consume_input()
            while driver.pgconn.notifies():
                self._notified = True

    def _note(self, _: object) -> None:
        self._notified = True


def waiter_for(alias: str) -> Waiter:
    """Return the Waiter for a database."""
    postgres = connections[alias].vendor == "postgresql"
    return NotifyWaiter(alias) if postgres else ProcessWaiter()


def notify(alias: str) -> bool:
    """Send NOTIFY after a commit on this thread's connection; return True if it was sent.

    Not before the commit: a commit with a pending notification takes a lock on the whole server. If
    NOTIFY fails, or the process dies first, the readers find the records at their next poll.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql" and connection.get_autocommit():
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
            return True
    return False
