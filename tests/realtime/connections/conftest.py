"""Fixtures shared with the tests of access: a connection, and an empty registry of rules."""

from __future__ import annotations

from tests.realtime.access.conftest import (  # noqa: F401 -- fixtures
    connection,
    fake_hub,
    rules,
)
