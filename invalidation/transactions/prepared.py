"""Transactions that this process has prepared: the functions that send their messages.

A backend that stores messages has stored them in the prepared transaction, and they become visible
with it; sending wakes the readers. Any other backend sends them from here.

`COMMIT PREPARED` of a transaction that another process has prepared, or this one before a restart,
resets all tracked models: the name says nothing about the rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

MOST_KEPT = 1_000
"""Prepared transactions; the oldest is forgotten first, and treated as another process's."""

Sends = list[Callable[[], None]]

_kept: dict[tuple[object, ...], Sends] = {}
_lock = threading.Lock()


def keep(connection: Any, name: str, sends: Sends) -> None:
    """Keep the functions to call when the transaction `name` is committed."""
    with _lock:
        _kept[_key(connection, name)] = sends
        while len(_kept) > MOST_KEPT:
            del _kept[next(iter(_kept))]


def is_kept(connection: Any, name: str) -> bool:
    """Return True if this process has prepared the transaction."""
    with _lock:
        return _key(connection, name) in _kept


def take(connection: Any, name: str) -> Sends | None:
    """Return the functions of a transaction, and forget it; None if it is not known."""
    with _lock:
        return _kept.pop(_key(connection, name), None)


def _key(connection: Any, name: str) -> tuple[object, ...]:
    # Any connection to the database may commit it, whatever its alias.
    settings = connection.settings_dict
    return (*(str(settings.get(part)) for part in ("HOST", "PORT", "NAME")), name)
