"""With an outbox, the records of triggers for a database backend are sent too."""

from __future__ import annotations

import pytest
from django.db import connection

from realtime.messages.codec import payload_of
from realtime.messages.message import Message
from realtime.models import StoredRecord
from tests.realtime.backends.outbox.conftest import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def store(name: str) -> None:
    """Store a record as a trigger does, for a program without Django."""
    table = StoredRecord._meta.db_table
    message = Message("list:5", {"auth.group": {name: "entered"}})  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ("token", "payload") VALUES (%s, %s)',
            ["0" * 16, payload_of([message])],
        )


def told(server) -> list[str]:
    return [row for each in server.messages("list:5") for row in each["changes"]["auth.group"]]


def test_any_relay_sends_a_triggers_record(run, server) -> None:
    """By its sweeps: no process passes them to a relay."""
    relay = run("manage.py", "realtime_relay")
    assert relay.stdout.readline() == "Sending the messages left in the outbox.\n"

    for name in ("one", "two", "three"):
        store(name)

    until(lambda: not StoredRecord.objects.exists())
    assert sorted(told(server)) == ["one", "three", "two"]


def test_triggers_records_wait_while_the_backend_is_away(run, server, relay_once) -> None:
    """As Django's own rows do."""
    server.kill()
    store("one")
    _, error = run("manage.py", "realtime_relay", "--once").communicate(timeout=20)
    assert "did not take messages" in error
    assert StoredRecord.objects.count() == 1

    server.start()
    relay_once()

    assert told(server) == ["one"]
    assert not StoredRecord.objects.exists()
