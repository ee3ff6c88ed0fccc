"""A backend is away, or hangs: writers are not affected, and no message is lost."""

from __future__ import annotations

import logging

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import override_settings

from realtime.backends import get_pubsub
from realtime.backends.outbox import flush_relay, metrics
from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import until, write

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("outbox"),
    # These tests do not depend on the database.
    pytest.mark.sqlite,
]

MANY = 30


def in_order(told: list[str]) -> list[str]:
    """Return the messages sent, each at its first time."""
    return list(dict.fromkeys(told))


def states(caplog) -> list[int]:
    """Return the levels of the relay's log entries."""
    return [record.levelno for record in caplog.records if record.name == "realtime.outbox"]


def test_writers_do_not_wait_for_a_backend_that_hangs(settings_of, server, caplog) -> None:
    """It accepts connections without an answer; all messages are sent once it continues."""
    with override_settings(REALTIME=settings_of(timeout=3)):
        write("before")
        assert flush_relay(30)
        server.freeze()
        for number in range(MANY):
            write(number)

        assert metrics.failed == 0, "a write waited until the backend was given up"
        assert Group.objects.count() == OutboxRecord.objects.count() + 1 == MANY + 1
        until(lambda: metrics.failed)
        server.thaw()
        until(lambda: not OutboxRecord.objects.exists())
        until(lambda: logging.WARNING in states(caplog))

    assert in_order(server.told()) == ["before", *map(str, range(MANY))]
    assert states(caplog) == [logging.ERROR, logging.WARNING]


def test_writers_do_not_fail_by_a_backend_that_is_away(server, caplog) -> None:
    """Each state is logged once, with how many messages waited."""
    write("before")
    assert flush_relay(30)
    server.kill()
    for number in range(MANY):
        write(number)
    until(lambda: metrics.failed >= 3)

    server.start()
    until(lambda: not OutboxRecord.objects.exists())
    until(lambda: logging.WARNING in states(caplog))

    assert in_order(server.told()) == [str(number) for number in range(MANY)]
    assert states(caplog) == [logging.ERROR, logging.WARNING]
    assert f"again; {MANY} records waited" in caplog.records[-1].message


def test_a_backend_may_be_away_again_and_again(server, caplog) -> None:
    """Each outage is logged."""
    for number in range(3):
        server.kill()
        write(number)
        until(lambda number=number: states(caplog).count(logging.ERROR) == number + 1)
        server.start()
        until(lambda number=number: states(caplog).count(logging.WARNING) == number + 1)

        assert set(server.told()) == {str(number)}


def test_messages_that_do_not_fit_into_memory_are_read_from_the_table(settings_of, server) -> None:
    """In order, together with messages committed meanwhile."""
    with override_settings(REALTIME=settings_of(OUTBOX_QUEUE=5, OUTBOX_SWEEP=3600)):
        write("before")
        assert flush_relay(30)
        server.kill()
        for number in range(MANY):
            write(number)
        assert metrics.spilled >= MANY - 6
        server.start()
        for number in range(MANY, 2 * MANY):
            write(number)
        until(lambda: not OutboxRecord.objects.exists())

    assert in_order(server.told()) == [str(number) for number in range(2 * MANY)]


def test_a_database_that_fails_for_a_while_loses_nothing(server, monkeypatch, caplog) -> None:
    """Such as a locked one; a message that was sent but not deleted is sent again."""
    failing = iter([True, True, False])
    delete = QuerySet._raw_delete

    def fail(self: QuerySet, using: str) -> int:
        if self.model is OutboxRecord and next(failing, False):
            raise OperationalError("database is locked")
        return delete(self, using)

    monkeypatch.setattr(QuerySet, "_raw_delete", fail)
    get_pubsub().serve()
    write(1)

    until(lambda: not OutboxRecord.objects.exists())
    assert server.told() == ["1", "1", "1"]
    until(lambda: logging.WARNING in states(caplog))
    assert states(caplog).count(logging.WARNING) == 1
