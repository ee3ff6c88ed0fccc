"""Switching the outbox off, and backends where it cannot be."""

from __future__ import annotations

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from realtime import Message
from realtime.backends import get_pubsub
from realtime.backends.outbox import flush_relay, process, stop_relay
from realtime.checks import check_backend, check_settings


def test_switched_on_there_is_nothing_to_say(settings_of) -> None:
    """It is the default."""
    with override_settings(REALTIME=settings_of()):
        assert check_settings() == check_backend() == []


def test_switched_off_a_check_says_what_is_lost(settings_of) -> None:
    """A warning, which a project may silence."""
    with override_settings(REALTIME=settings_of(OUTBOX=False)):
        (problem,) = check_backend()

    assert (type(problem), problem.id) == (checks.Warning, "realtime.W002")
    assert "loses" in problem.msg


@override_settings(REALTIME={"OUTBOX": False})
def test_a_backend_without_an_outbox_has_none_to_switch_off() -> None:
    """The database backend stores its messages itself."""
    assert check_backend() == []


@pytest.mark.parametrize("name", ["OUTBOX", "OUTBOX_SWEEP", "OUTBOX_QUEUE"])
def test_a_setting_that_cannot_work_is_refused(name: str) -> None:
    """The error says what was expected."""
    with override_settings(REALTIME={name: "no"}):
        (problem,) = check_settings()

    assert problem.id == "realtime.E005"


def test_other_backends_need_no_relay() -> None:
    """Asking for one does nothing, and the command says so."""
    stop_relay()
    get_pubsub().serve()

    assert process._relay is None
    with pytest.raises(CommandError, match="needs no relay"):
        call_command("realtime_relay", "--once", skip_checks=True)


@pytest.mark.usefixtures("outbox")
def test_a_database_in_memory_has_no_outbox(monkeypatch, server) -> None:
    """Its rows end with the process; messages are sent from memory as well."""
    memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
    monkeypatch.setitem(connections.settings, "memory", connections.settings["default"] | memory)
    assert not get_pubsub().stores_on("memory")

    get_pubsub().prepare([Message("list:5", {"a.b": {"1": "left"}})], "memory")()

    assert flush_relay(30)
    assert server.told() == ["1"]
    del connections["memory"]
