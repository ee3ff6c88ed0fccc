"""How the connections of new threads begin their transactions, and what those see."""

from __future__ import annotations

from typing import Any

from django.db import connection, connections

MODES = {
    "sqlite": ("DEFERRED", "IMMEDIATE"),
    "postgresql": ("READ_COMMITTED", "REPEATABLE_READ"),
}


def let_threads_connect(monkeypatch: Any, mode: str) -> None:
    """Let the threads that are started from here on have one of the database's modes."""
    options = connections.settings["default"].setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":
        monkeypatch.setitem(options, "transaction_mode", mode)
        return
    from psycopg import IsolationLevel

    monkeypatch.setitem(options, "isolation_level", IsolationLevel[mode])
    # Those that lock each other out need not wait a second for being told.
    monkeypatch.setitem(options, "options", "-c deadlock_timeout=20ms")
