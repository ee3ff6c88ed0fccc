"""The mode and isolation in which connections of new threads begin transactions."""

from __future__ import annotations

from typing import Any

from django.db import connection, connections

MODES = {
    "sqlite": ("DEFERRED", "IMMEDIATE"),
    "postgresql": ("READ_COMMITTED", "REPEATABLE_READ"),
}


def let_threads_connect(monkeypatch: Any, mode: str) -> None:
    """Give connections of threads that start from here on one of the database's modes."""
    options = connections.settings["default"].setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":
        monkeypatch.setitem(options, "transaction_mode", mode)
        return
    from psycopg import IsolationLevel

    monkeypatch.setitem(options, "isolation_level", IsolationLevel[mode])
    # Deadlocks are detected without waiting for a second.
    monkeypatch.setitem(options, "options", "-c deadlock_timeout=20ms")
