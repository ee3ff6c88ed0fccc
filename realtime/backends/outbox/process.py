"""This process's relay: made when the first messages are sent; a forked process makes its own.

Callers pass the backend to which the relay sends the rows that its sweeps find: the project's
backend, if that sends through the outbox.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading

from realtime.backends.outbox.queue import Item, Sender
from realtime.backends.outbox.relay import Relay
from realtime.backends.outbox.stats import RelayStatus, metrics

logger = logging.getLogger("realtime.outbox")

FLUSH_TIMEOUT = 1.0
"""Seconds that a process waits for its relay when it ends. Another process sends the rows left."""

_lock = threading.Lock()
_relay: Relay | None = None


def hand_over(item: Item, sweeps_for: Sender | None) -> None:
    """Let this process's relay send committed messages. Never raise or wait for the backend."""
    try:
        _running(sweeps_for).queue.put(item)
    except RuntimeError as error:
        # No thread can be started, as when the interpreter ends.
        logger.warning("cannot send messages now: %s; a sweep sends the stored ones", error)


def ensure_relay(sweeps_for: Sender) -> None:
    """Start this process's relay, unless it runs.

    For processes that serve: the relay sends the rows of a crashed process even if no process
    writes.
    """
    _running(sweeps_for)


def relay_status() -> RelayStatus | None:
    """Return the state of this process's relay; None if none runs."""
    relay = _relay
    return relay.status() if relay is not None and relay.runs else None


def stop_relay(seconds: float = FLUSH_TIMEOUT) -> None:
    """End this process's relay, and wait for that at most `seconds`. The next commit makes another.

    For tests, whose database is dropped. Unsent rows stay in the outbox.
    """
    global _relay
    with _lock:
        stopped, _relay = _relay, None
    if stopped is not None:
        stopped.stop(seconds)


def _running(sweeps_for: Sender | None) -> Relay:
    global _relay  # noqa: PLW0603 -- one a process; the lock is its owner
    with _lock:
        if _relay is None or not _relay.runs:
            relay = Relay()
            relay.start()
            _relay = relay
        _relay.sweeps_for = sweeps_for
        return _relay


def flush_relay(seconds: float = FLUSH_TIMEOUT) -> bool:
    """Wait at most `seconds` until this process's messages are sent; return True if they are.

    Do not wait if the backend is known to be away. Called when the process ends, and by tests.
    """
    return _relay is None or _relay.flush(seconds)


def _forget() -> None:
    """Start over in a forked process: the relay's thread and queue belong to the parent."""
    global _lock, _relay
    _lock, _relay = threading.Lock(), None
    metrics.clear()


atexit.register(flush_relay)
os.register_at_fork(after_in_child=_forget)
