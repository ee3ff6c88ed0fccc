"""Refusals that a process remembers: by user, by time, and how many."""

from __future__ import annotations

import pytest
from django.test import override_settings

from realtime.access import refusals as module
from realtime.access.identity import Identity
from realtime.access.refusals import Refusals
from tests.realtime.access.conftest import Who

ADA, EVE = Identity({}, Who("1"), "a"), Identity({}, Who("2"), "b")
AGE = 600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_a_refusal_is_of_one_user_and_one_topic() -> None:
    """In all of the user's sessions."""
    refusals = Refusals()
    refusals.add(ADA, "list:1")

    assert refusals.may_include(ADA, "list:1")
    assert refusals.may_include(Identity({}, Who("1"), "another session"), "list:1")
    assert not refusals.may_include(ADA, "list:2")
    assert not refusals.may_include(EVE, "list:1")


def test_sessions_of_anonymous_users_are_apart() -> None:
    """One visitor's refusals do not count for another."""
    refusals = Refusals()
    refusals.add(Identity({}, None, "a"), "list:1")

    assert refusals.may_include(Identity({}, None, "a"), "list:1")
    assert not refusals.may_include(Identity({}, None, "b"), "list:1")


def test_a_refusal_is_forgotten_after_the_age_of_a_ticket(clock: list[float]) -> None:
    """Tickets from before it have expired by then. A second refusal starts the time anew."""
    refusals = Refusals()
    refusals.add(ADA, "list:1")
    clock[0] += AGE / 2
    refusals.add(ADA, "list:1")

    clock[0] += AGE - 1
    assert refusals.may_include(ADA, "list:1")
    clock[0] += 1
    assert not refusals.may_include(ADA, "list:1")
    assert len(refusals) == 0
    assert not refusals._counts


def test_a_yes_removes_a_refusal() -> None:
    """The rule has changed its answer."""
    refusals = Refusals()
    refusals.add(ADA, "list:1")
    refusals.forget(ADA, "list:1")
    refusals.forget(EVE, "list:1")

    assert not refusals.may_include(ADA, "list:1")
    assert not refusals._counts


def test_a_user_with_too_many_is_distrusted_alone(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the age of a ticket after the last refusal without room."""
    monkeypatch.setattr(module, "MOST_REFUSALS_A_USER", 2)
    refusals = Refusals()
    for key in range(2):
        refusals.add(ADA, f"list:{key}")
    assert not refusals.may_include(ADA, "list:9")
    clock[0] += AGE / 2
    refusals.add(ADA, "list:2")

    assert len(refusals) == 2
    assert refusals.may_include(ADA, "list:9")
    assert not refusals.may_include(EVE, "list:9")
    clock[0] += AGE - 1
    assert refusals.may_include(ADA, "list:2")
    clock[0] += 1
    assert not refusals.may_include(ADA, "list:2")
    assert not refusals._full


@override_settings(REALTIME={"TICKET_AGE": 60})
def test_a_process_with_too_many_trusts_no_ticket(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that was not remembered must not open a topic."""
    monkeypatch.setattr(module, "MOST_REFUSALS", 3)
    refusals = Refusals()
    for key in range(3):
        refusals.add(Identity({}, Who(f"user {key}"), ""), "list:1")
    assert not refusals.may_include(EVE, "list:9")
    clock[0] += 30
    refusals.add(ADA, "list:1")

    assert len(refusals) == 3
    assert refusals.may_include(EVE, "list:9")
    clock[0] += 59
    assert refusals.may_include(ADA, "list:1")
    clock[0] += 1
    assert not refusals.may_include(EVE, "list:9")
