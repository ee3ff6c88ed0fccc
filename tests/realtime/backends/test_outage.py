"""Outages and their log entries."""

from __future__ import annotations

import logging

import pytest

from realtime.backends.outage import Outage

LOGGER = logging.getLogger("tests.outage")


def outage(**options: object) -> Outage:
    return Outage(LOGGER, away="it is away", back="it is back", **options)  # type: ignore[arg-type]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(each.levelno, each.getMessage()) for each in caplog.records]


def test_begin_and_end_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """Each call returns whether the state changed."""
    it = outage(level=logging.WARNING)

    news = [it.begin(OSError("gone")), it.begin(OSError("gone")), it.end("; 3 waited"), it.end()]

    assert news == [True, False, True, False]
    assert said(caplog) == [
        (logging.WARNING, "it is away: gone"),
        (logging.WARNING, "it is back; 3 waited"),
    ]


def test_it_lasts_from_begin_to_end() -> None:
    """An outage that ended may begin again."""
    it = outage()

    for _ in range(2):
        assert not it.lasts
        it.begin(OSError())
        assert it.lasts
        it.end()
    assert not it.lasts


def test_an_unexpected_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """It is a bug, which is hard to find without one."""
    error = ZeroDivisionError()

    outage(level=logging.WARNING, expected=OSError).begin(error)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error
