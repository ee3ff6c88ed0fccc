"""This process's relay: one, made when there is something to send; a forked process makes its own.

Which backend the relay sweeps for is handed to it: the project's, if that sends through the outbox.
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

LAST_WORDS = 1.0
"""Seconds that a process which ends waits for its relay. What is left is another's."""

_lock = threading.Lock()
_relay: Relay | None = None


def hand_over(item: Item, sweeps_for: Sender | None) -> None:
    """Let this process's relay send what was committed. Never raise, never wait for the backend."""
    try:
        _running(sweeps_for).queue.put(item)
    except RuntimeError as error:
        # No thread can be started, as in an interpreter that ends.
        logger.warning("cannot send messages now: %s; those stored are left to a sweep", error)


def ensure_relay(sweeps_for: Sender) -> None:
    """Make sure that this process's relay runs.

    For processes that serve: what a crashed process left in the outbox is sent, even if no process
    writes.
    """
    _running(sweeps_for)


def relay_status() -> RelayStatus | None:
    """Return how this process's relay does; None if there is none that runs."""
    relay = _relay
    return relay.status() if relay is not None and relay.runs else None


def stop_relay(seconds: float = LAST_WORDS) -> None:
    """End this process's relay, waiting that long at most; the next commit makes another.

    For tests, whose database goes away. What was not sent stays in the outbox.
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


def flush_relay(seconds: float = LAST_WORDS) -> bool:
    """Wait until what this process committed was sent, that long at most; say whether it was.

    Not at all where the backend is known to be away. Called when the process ends; for tests too.
    """
    return _relay is None or _relay.flush(seconds)


def _forget() -> None:
    """Begin anew in a forked process: the thread stayed with its parent, and the queue is its."""
    global _lock, _relay
    _lock, _relay = threading.Lock(), None
    metrics.clear()


atexit.register(flush_relay)
os.register_at_fork(after_in_child=_forget)
