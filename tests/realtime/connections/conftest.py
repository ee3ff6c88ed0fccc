"""What the tests of connections share with those of access: a connection, and no rules."""

from __future__ import annotations

from tests.realtime.access.conftest import (  # noqa: F401 -- fixtures
    connection,
    fake_hub,
    rules,
)
