"""System checks of `invalidation`."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test import override_settings

from invalidation.checks import check_databases, check_settings

ELSEWHERE = {
    "PUBSUB": {
        "BACKEND": "realtime.backends.database.DatabasePubSub",
        "OPTIONS": {"aliases": ["elsewhere"]},
    }
}


def ids(problems):
    """Return the problems' ids, each once."""
    return sorted({problem.id for problem in problems})


@pytest.mark.sqlite
def test_settings_of_this_project_are_fine():
    """The default settings pass."""
    assert check_settings() == []
    assert check_databases() == []


@override_settings(INVALIDATION={"MAX_ROW": 5})
def test_unknown_setting_is_refused_with_the_known_ones():
    """A misspelled setting is an error that lists the valid names."""
    (problem,) = check_settings()

    assert problem.id == "invalidation.E001"
    assert "MAX_ROW'" in problem.msg
    assert "MAX_ROWS" in problem.hint


@override_settings(INVALIDATION=["MAX_ROWS"])
def test_settings_that_are_no_dict_are_refused():
    """INVALIDATION must be a dictionary."""
    assert ids(check_settings()) == ["invalidation.E001"]


@pytest.mark.parametrize("value", [0, -1, 1.5, "5", None, True])
def test_setting_with_a_bad_value_is_refused(value):
    """MAX_ROWS is a whole number above 0."""
    with override_settings(INVALIDATION={"MAX_ROWS": value}):
        (problem,) = check_settings()

    assert problem.id == "invalidation.E005"
    assert repr(value) in problem.msg


def test_tracked_model_on_another_vendors_database_is_an_error(monkeypatch):
    """Changes can be missed on databases other than SQLite and PostgreSQL."""
    monkeypatch.setattr(connections["default"], "vendor", "oracle")

    assert ids(check_databases()) == ["invalidation.E002"]


@pytest.mark.sqlite
@override_settings(REALTIME=ELSEWHERE)
def test_messages_stored_on_another_database_are_a_warning():
    """The record and the change are then in two transactions."""
    problems = check_databases()

    assert ids(problems) == ["invalidation.W001"]
    assert "'default'" in problems[0].msg
    assert "'elsewhere'" in problems[0].msg


@pytest.mark.sqlite
@override_settings(REALTIME={"PUBSUB": {"BACKEND": "no.such.Backend"}})
def test_missing_backend_is_left_to_its_own_check():
    """A missing backend is reported once, by `realtime`."""
    assert check_databases() == []
