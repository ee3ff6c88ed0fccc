"""What the tests of the hub share: losses are mended at once, and not logged."""

from __future__ import annotations

import logging

import pytest

from realtime.hub import hub as hub_module


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that was lost is tried again at once."""
    monkeypatch.setattr(hub_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(hub_module, "LONGEST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def at_once(no_linger: None) -> None:
    """What nobody wants any longer is unwatched at once, but where a test says otherwise."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Losses are logged, as they should be."""
    caplog.set_level(logging.CRITICAL + 1, "realtime.hub")
