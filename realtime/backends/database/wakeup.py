"""Waiting for news between two looks at the database."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Any, Protocol

from django.db import Error, connections

CHANNEL = "livequery"
"""Where PostgreSQL's NOTIFY says that there is news. It says no more than that."""


class Waiter(Protocol):
    """Lets one thread wait; any other may wake it."""

    receives_notifications: bool
    """Is it woken by what other processes commit?"""

    def wake(self) -> None:
        """End the wait, or the next one."""

    def wait(self, seconds: float) -> bool:
        """Wait; return whether somebody has woken it."""

    def reopened(self) -> None:
        """Take note that the thread's connection was made anew."""

    def close(self) -> None:
        """Let go of everything."""


class ProcessWaiter:
    """Is woken by commits of its own process alone."""

    receives_notifications = False

    def __init__(self) -> None:
        self._news = threading.Event()

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._news.set()

    def wait(self, seconds: float) -> bool:
        """Wait; return whether somebody has woken it."""
        woken = self._news.wait(seconds)
        self._news.clear()
        return woken

    def reopened(self) -> None:
        """Do nothing: it needs no connection."""

    def close(self) -> None:
        """Do nothing."""


class NotifyWaiter:
    """Is woken by PostgreSQL too, wherever a commit was followed by NOTIFY.

    Through a pooler that hands out connections a transaction at a time nothing is heard: whoever
    waits must look now and then all the same.
    """

    receives_notifications = True

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._notified = False
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def wake(self) -> None:
        """End the wait, or the next one."""
        with suppress(OSError):  # full, so it will wake; or closed, so nobody waits
            self._theirs.send(b"!")

    def wait(self, seconds: float) -> bool:
        """Wait; return whether somebody has woken it."""
        if self._notified:
            seconds = 0
        driver = connections[self._alias].connection
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            # Of a connection that is lost there is no socket: the next look makes another.
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
        """Listen on the new connection, before anything is read on it."""
        connection: Any = connections[self._alias]
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        # What comes while a query runs is taken in by the driver.
        driver = connection.connection
        if hasattr(driver, "add_notify_handler"):
            driver.add_notify_handler(self._note)

    def close(self) -> None:
        """Let go of the sockets."""
        self._ours.close()
        self._theirs.close()

    def _take(self, driver: Any) -> None:
        # A connection that is lost is readable, and says so at the next look.
        with suppress(Exception):
            driver.pgconn.consume_input()
            while driver.pgconn.notifies():
                self._notified = True

    def _note(self, _: object) -> None:
        self._notified = True


def waiter_for(alias: str) -> Waiter:
    """Return what waits for news of a database."""
    postgres = connections[alias].vendor == "postgresql"
    return NotifyWaiter(alias) if postgres else ProcessWaiter()


def notify(alias: str) -> bool:
    """Wake whoever listens, behind a commit on this thread's connection; return whether it could.

    Not before it: a commit with a notification pending takes a lock on the whole server. If it
    fails, or the process dies first, the others find out by themselves a little later.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql" and connection.get_autocommit():
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
            return True
    return False
