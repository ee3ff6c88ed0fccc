"""Which messages the outbox sends."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from realtime import Message, position, publish
from realtime.backends import get_pubsub
from realtime.backends.outbox import flush_relay, metrics, process, stop_relay
from realtime.backends.outbox.relay import Relay
from realtime.messages.cursors import NOWHERE
from realtime.models import OutboxRecord
from tests.realtime.backends.outbox.conftest import tell, until
from tests.shop.models import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("outbox")]


def rows() -> int:
    return OutboxRecord.objects.count()


def test_a_commit_is_sent_and_leaves_no_row(server) -> None:
    """The row exists from the commit until the backend has taken the message."""
    with transaction.atomic():
        tell(1)
        assert rows() == 1
        assert server.told() == []

    until(lambda: server.told() == ["1"])
    until(lambda: rows() == 0)


def test_a_rollback_sends_nothing_and_leaves_no_row(server) -> None:
    """Neither one on request nor one after an error."""
    with transaction.atomic():
        tell(1)
        transaction.set_rollback(True)
    with suppress(ZeroDivisionError), transaction.atomic():
        tell(2)
        raise ZeroDivisionError
    tell(3)

    assert flush_relay(30)
    assert server.told() == ["3"]
    assert rows() == 0


def test_a_savepoint_that_rolls_back_sends_nothing(server) -> None:
    """Also one rolled back by hand, which `on_commit` does not notice."""
    with transaction.atomic():
        tell(1)
        savepoint = connection.savepoint()
        tell(2)
        transaction.savepoint_rollback(savepoint)
        with suppress(ZeroDivisionError), transaction.atomic():
            tell(3)
            raise ZeroDivisionError
        with transaction.atomic():
            tell(4)

    assert flush_relay(30)
    assert server.told() == ["1", "4"]
    assert rows() == 0


def test_a_hook_that_fails_loses_nothing(server) -> None:
    """A row that an earlier hook has kept from the relay is found by the sweep."""
    get_pubsub().serve()

    def fail() -> None:
        raise ZeroDivisionError

    with suppress(ZeroDivisionError), transaction.atomic():
        transaction.on_commit(fail)
        tell(1)

    until(lambda: server.told() == ["1"])
    until(lambda: metrics.swept == 1)


def test_with_autocommit_off_a_commit_is_sent(server) -> None:
    """The sweep finds it, since no hook passes it to the relay; a rollback leaves no row."""
    get_pubsub().serve()
    transaction.set_autocommit(False)
    try:
        tell(1)
        transaction.rollback()
        tell(2)
        transaction.commit()
    finally:
        connection.rollback()
        transaction.set_autocommit(True)

    until(lambda: server.told() == ["2"])
    until(lambda: rows() == 0)


def test_messages_queued_before_their_commit_are_not_sent_before_it(server) -> None:
    """A transaction that raw SQL began, which Django does not know of."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        tell(1)
        tell(2)
        assert flush_relay(30)
        assert server.told() == []
        cursor.execute("COMMIT")

    until(lambda: sorted(server.told()) == ["1", "2"])
    until(lambda: rows() == 0)


def test_changes_of_tracked_models_are_sent(server) -> None:
    """One row a transaction, for any number of messages."""
    with transaction.atomic():
        Shelf.objects.create(pk=11)
        Shelf.objects.create(pk=12)
    assert flush_relay(30)

    assert [message["topic"] for message in server.messages("shelf:11")] == ["shelf:11"]
    assert [message["topic"] for message in server.messages("shelf:12")] == ["shelf:12"]
    assert metrics.sent == 1


def test_a_writer_pays_one_insert() -> None:
    """The writer makes no other query for the outbox."""
    tell(1)

    with CaptureQueriesContext(connection) as queries:
        tell(2)

    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]


def test_messages_keep_the_order_of_the_commits(server) -> None:
    """Within one process."""
    for number in range(200):
        tell(number)

    assert flush_relay(10)
    assert server.told() == [str(number) for number in range(200)]


def test_a_position_within_a_transaction_proves_nothing() -> None:
    """The backend's history is not in the transaction's snapshot, though the row is stored."""
    pubsub = get_pubsub()
    assert pubsub.stores_on("default")
    assert not pubsub.reads_on("default")

    with transaction.atomic():
        inside = position()

    assert inside == NOWHERE
    assert position() != NOWHERE


def test_a_row_that_cannot_be_read_stays_and_holds_up_no_other(server, caplog) -> None:
    """Another version of the code may have written it, and can read it."""
    foreign = OutboxRecord.objects.create(payload='[{"subject": 5}]')
    get_pubsub().serve()
    tell(1)
    stranger = OutboxRecord.objects.create(
        payload='[{"topic": "list:5", "changes": {"a.b": {"2": "left"}}}]'
    )

    until(lambda: server.told() == ["1", "2"])
    until(lambda: not OutboxRecord.objects.filter(pk=stranger.pk).exists())
    assert list(OutboxRecord.objects.values_list("pk", flat=True)) == [foreign.pk]
    assert len([record for record in caplog.records if "cannot read row" in record.message]) == 1


def test_a_message_that_the_backend_never_takes_becomes_a_reset(
    server, monkeypatch, caplog
) -> None:
    """It does not block all others for good."""
    from realtime.exceptions import InvalidMessage
    from tests.contract.socket_backend import SocketPubSub

    send = SocketPubSub.send

    def pick(self: SocketPubSub, messages: list[Message]) -> None:
        if any("big" in rows for message in messages for rows in message.changes.values()):
            raise InvalidMessage("too large")
        send(self, messages)

    monkeypatch.setattr(SocketPubSub, "send", pick)
    small, big = ({"auth.group": {name: "left"}} for name in ("small", "big"))
    publish([Message("list:5", small), Message("list:6", big), Message("list:7", small)])
    assert flush_relay(30)

    sent = server.messages("list:5", "list:6", "list:7")
    assert [(each["topic"], each["reset"]) for each in sent] == [
        ("list:5", None),
        ("list:6", "overflow"),
        ("list:7", None),
    ]
    assert rows() == 0


def test_switched_off_messages_are_sent_without_a_row(settings_of, server) -> None:
    """After the commit, and not after a rollback."""
    with override_settings(REALTIME=settings_of(OUTBOX=False)):
        assert not get_pubsub().stores_on("default")
        with transaction.atomic():
            tell(1)
            assert rows() == 0
        with transaction.atomic():
            tell(2)
            transaction.set_rollback(True)
        tell(3)
        assert flush_relay(30)

    assert server.told() == ["1", "3"]


def test_switched_off_what_does_not_fit_into_memory_is_reset(settings_of, server) -> None:
    """It exists nowhere else."""
    with override_settings(REALTIME=settings_of(OUTBOX=False, OUTBOX_QUEUE=5)):
        server.kill()
        for number in range(30):
            tell(number)
        server.start()
        until(lambda: flush_relay(1))

    assert server.told() == [str(number) for number in range(5)]
    assert [each["reset"] for each in server.messages("list:")] == ["overflow"]


def test_switched_off_what_was_stored_before_is_still_sent(settings_of, server) -> None:
    """The sweep does not depend on the setting."""
    OutboxRecord.objects.create(payload='[{"topic": "list:5", "changes": {"a.b": {"2": "left"}}}]')
    with override_settings(REALTIME=settings_of(OUTBOX=False)):
        get_pubsub().serve()
        until(lambda: server.told() == ["2"])


def test_a_process_has_one_relay_until_it_is_stopped() -> None:
    """However often it is asked for."""
    get_pubsub().serve()
    first = process._relay
    get_pubsub().serve()
    assert process._relay is first
    assert isinstance(first, Relay)

    stop_relay(5)
    assert not first.runs
    get_pubsub().serve()
    assert process._relay is not first
