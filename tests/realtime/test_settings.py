"""Settings are read live; system checks refuse those that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

import pytest
from django.core import checks
from django.core.checks import Error
from django.db import connections
from django.test import override_settings

from realtime.backends import PubSub, forget_pubsub, get_pubsub, make_pubsub
from realtime.backends.database import DatabasePubSub
from realtime.backends.memory import MemoryPubSub
from realtime.checks import check_backend, check_package, check_settings
from realtime.conf import Conf, Defaults, conf
from realtime.exceptions import BackendMissing

MEMORY = "realtime.backends.memory.MemoryPubSub"
DATABASE = "realtime.backends.database.DatabasePubSub"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    forget_pubsub()


def ids(problems: list[object]) -> list[str]:
    return [problem.id for problem in problems]  # type: ignore[attr-defined]


def all_checks() -> list[str]:
    return ids([*check_settings(), *check_backend(), *check_package()])


def test_a_project_need_set_nothing() -> None:
    """The defaults work, on its own database."""
    assert all_checks() == []
    assert isinstance(get_pubsub(), DatabasePubSub)


def test_a_setting_is_read_when_it_is_used() -> None:
    """So tests can override it."""
    with override_settings(REALTIME={"HEARTBEAT": 1}):
        assert conf.HEARTBEAT == 1
        assert conf.SILENCE == Defaults().SILENCE

    assert conf.HEARTBEAT == Defaults().HEARTBEAT


def test_there_are_no_other_settings() -> None:
    """A misspelt name in this project's code is an error too."""
    with pytest.raises(AttributeError):
        _ = conf.HEARTBEET


@override_settings(REALTIME={"HEARTBEAT": 1})
def test_settings_of_another_name_are_another_matter() -> None:
    """`invalidation` has its own."""
    assert Conf("ANOTHER", Defaults()).HEARTBEAT == Defaults().HEARTBEAT


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HEARTBEET", 1, "realtime.E001"),
        ("heartbeat", 1, "realtime.E001"),
        ("HEARTBEAT", 0, "realtime.E005"),
        ("HEARTBEAT", -1, "realtime.E005"),
        ("HEARTBEAT", "25", "realtime.E005"),
        ("HEARTBEAT", True, "realtime.E005"),
        ("HEARTBEAT", float("nan"), "realtime.E005"),
        ("MAX_SUBSCRIPTIONS", 1.5, "realtime.E005"),
        ("MAX_SUBSCRIPTIONS", 0, "realtime.E005"),
        ("WARN_FAN_OUT", -1, "realtime.E005"),
        ("WARN_FAN_OUT", 0.5, "realtime.E005"),
        ("WARN_PUBLISH", False, "realtime.E005"),
        ("METRICS", 1, "realtime.E005"),
        ("ALLOW_ANONYMOUS", "no", "realtime.E005"),
        ("ALLOW_ANONYMOUS", 0, "realtime.E005"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, value: object, expected: str) -> None:
    """The error says what was expected, what came, and has a hint."""
    with override_settings(REALTIME={name: value}):
        (problem,) = check_settings()

    assert (type(problem), problem.id) == (Error, expected)
    assert name in problem.msg
    assert problem.hint


@pytest.mark.parametrize("value", [0.5, 1, 25])
def test_a_setting_that_works_is_let_be(value: float) -> None:
    """Whole or not."""
    with override_settings(REALTIME={"HEARTBEAT": value, "ALLOW_ANONYMOUS": True}):
        assert check_settings() == []


@pytest.mark.parametrize("value", [0, 1, 10_000])
def test_a_threshold_may_be_switched_off(value: int) -> None:
    """By 0."""
    with override_settings(REALTIME={"WARN_FAN_OUT": value, "WARN_PUBLISH": value}):
        assert check_settings() == []


@pytest.mark.parametrize("value", [None, [], "realtime", ["PUBSUB"]])
def test_settings_that_are_no_dict_are_one_problem(value: object) -> None:
    """And not a traceback from another check."""
    with override_settings(REALTIME=value):
        assert all_checks() == ["realtime.E001"]


@pytest.mark.parametrize(
    "pubsub",
    [
        None,
        MEMORY,
        {},
        {"BACKEND": None},
        {"BACKEND": "MemoryPubSub"},
        {"BACKEND": "realtime.backends.nowhere.MemoryPubSub"},
        {"BACKEND": "realtime.backends.memory.Nowhere"},
        {"BACKEND": "realtime.messages.topics.Topic", "OPTIONS": {"text": "list:5"}},
        {"BACKEND": MEMORY, "OPTIONS": {"colour": "red"}},
        {"BACKEND": MEMORY, "OPTIONS": ["keep"]},
        {"BACKEND": DATABASE, "OPTIONS": {"interval": 0}},
        {"BACKEND": DATABASE, "OPTIONS": {"retention": "1 h"}},
    ],
)
def test_a_backend_that_cannot_be_made_is_refused(pubsub: object) -> None:
    """By the check, and at its first use."""
    with override_settings(REALTIME={"PUBSUB": pubsub}):
        assert ids(check_backend()) == ["realtime.E002"]
        with pytest.raises(BackendMissing, match=r"PUBSUB|expected"):
            get_pubsub()


def test_a_backend_checks_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database backend refuses databases on which it would miss messages."""
    monkeypatch.setattr(type(connections["default"]), "vendor", "oracle")

    assert ids(check_backend()) == ["realtime.E003"]


def test_a_backend_needs_a_database_that_is_there() -> None:
    """The hint names the existing ones."""
    options = {"BACKEND": DATABASE, "OPTIONS": {"aliases": ["nowhere"]}}
    with override_settings(REALTIME={"PUBSUB": options}):
        (problem,) = check_backend()

    assert problem.id == "realtime.E004"
    assert "default" in str(problem.hint)


def test_options_are_a_backends_arguments() -> None:
    """By name."""
    backend = make_pubsub({"BACKEND": DATABASE, "OPTIONS": {"interval": 1, "retention": 2.5}})

    assert isinstance(backend, DatabasePubSub)
    assert (backend.interval, backend.retention) == (1, 2.5)


def test_a_process_has_one_backend_until_its_settings_change() -> None:
    """Tests may choose another."""
    first = get_pubsub()
    assert get_pubsub() is first

    with override_settings(REALTIME={"PUBSUB": {"BACKEND": MEMORY}}):
        assert isinstance(get_pubsub(), MemoryPubSub)
    assert isinstance(get_pubsub(), PubSub)
    second = get_pubsub()
    with override_settings(DEBUG=True):
        assert get_pubsub() is second


def test_another_package_of_our_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either package may have overwritten files of the other."""
    owners = {"realtime": ["django-livequery", "realtime", "realtime"], "django": ["Django"]}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: owners)

    (problem,) = check_package()

    assert (type(problem), problem.id) == (checks.Warning, "realtime.W001")
    assert "Uninstall realtime" in str(problem.hint)


def test_our_own_package_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that was not installed at all, as in a checkout."""
    for owners in ({}, {"realtime": ["django-livequery"]}):
        monkeypatch.setattr(metadata, "packages_distributions", lambda owners=owners: owners)
        assert check_package() == []
