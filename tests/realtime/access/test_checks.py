"""System checks of authentication and origins."""

from __future__ import annotations

import pytest
from django.test import override_settings

from realtime.checks import check_authenticate, check_origins

NO_FUNCTION = 5


@pytest.mark.parametrize(
    "path",
    ["nowhere.at_all", "realtime.access.identity.nobody", "plain", f"{__name__}.NO_FUNCTION", 7],
)
def test_a_missing_function_is_an_error(path: object) -> None:
    """Else the first client that connects would fail."""
    with override_settings(REALTIME={"AUTHENTICATE": path}):
        (problem,) = check_authenticate()

    assert problem.id == "realtime.E008"
    assert "AUTHENTICATE" in problem.msg


def test_settings_that_are_no_dict_are_for_another_check() -> None:
    """Each mistake is reported once."""
    with override_settings(REALTIME=["AUTHENTICATE"]):
        assert check_authenticate() == []


def test_the_default_exists() -> None:
    """A project's own function is found the same way."""
    assert check_authenticate() == []


@pytest.mark.parametrize(("hosts", "found"), [(["*"], ["realtime.W007"]), ([".site.example"], [])])
def test_hosts_that_accept_every_origin_are_warned_of(hosts: list[str], found: list[str]) -> None:
    """By the checks for deployment."""
    with override_settings(ALLOWED_HOSTS=hosts):
        assert [problem.id for problem in check_origins()] == found
