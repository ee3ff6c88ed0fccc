"""Common parts of the hub's tests: losses are repaired at once, and not logged."""

from __future__ import annotations

import logging

import pytest

from realtime.hub import hub as hub_module


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost backend is retried at once."""
    monkeypatch.setattr(hub_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(hub_module, "LONGEST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def at_once(no_linger: None) -> None:
    """A topic without subscribers is unwatched at once, unless a test sets otherwise."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The log of losses is silenced."""
    caplog.set_level(logging.CRITICAL + 1, "realtime.hub")
