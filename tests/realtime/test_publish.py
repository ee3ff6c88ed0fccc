"""Publishing: on commit, and not at all otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from realtime import Message, apublish, publish
from realtime.backends.database import DatabasePubSub
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import InvalidMessage

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE = Message("list:5", reset="bulk")


@pytest.fixture(autouse=True)
def as_the_projects(pubsub: MemoryPubSub) -> Iterator[None]:
    """Publish through the backend that the test inspects."""
    with mock.patch("realtime.publish.get_pubsub", return_value=pubsub):
        yield


def sent(pubsub: MemoryPubSub) -> int:
    return int(pubsub.position().offset)


def test_outside_a_transaction_a_message_goes_out_at_once(pubsub: MemoryPubSub) -> None:
    """There is no commit to wait for."""
    publish([MESSAGE])

    assert sent(pubsub) == 1


def test_inside_a_transaction_it_goes_out_on_commit(pubsub: MemoryPubSub) -> None:
    """On that of the outermost block."""
    with transaction.atomic():
        with transaction.atomic():
            publish([MESSAGE])
        assert sent(pubsub) == 0

    assert sent(pubsub) == 1


def publish_and_fail() -> None:
    with transaction.atomic():
        publish([MESSAGE])
        raise ZeroDivisionError


def test_a_rolled_back_transaction_sends_nothing(pubsub: MemoryPubSub) -> None:
    """Nor of an inner block."""
    with pytest.raises(ZeroDivisionError):
        publish_and_fail()
    with transaction.atomic(), pytest.raises(ZeroDivisionError):
        publish_and_fail()

    assert sent(pubsub) == 0


@contextmanager
def autocommit_off() -> Iterator[None]:
    transaction.set_autocommit(False)
    try:
        yield
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_with_autocommit_off_a_backend_that_does_not_store_refuses(pubsub: MemoryPubSub) -> None:
    """The commit is unknown, and sending before it might announce a change that rolls back."""
    with autocommit_off(), pytest.raises(transaction.TransactionManagementError):
        publish([MESSAGE])

    assert sent(pubsub) == 0


@transaction.atomic
def publish_behind_a_hook_that_raises() -> None:
    transaction.on_commit(lambda: 1 / 0)
    publish([MESSAGE])


def test_a_stored_message_is_sent_although_an_earlier_hook_raises() -> None:
    """Its transaction's commit sends it, and no hook."""
    stored = DatabasePubSub()
    with mock.patch("realtime.publish.get_pubsub", return_value=stored):
        before = stored.position()
        with pytest.raises(ZeroDivisionError):
            publish_behind_a_hook_that_raises()

    assert stored.position() != before


def test_messages_of_another_database_are_not_sent_before_its_commit() -> None:
    """With autocommit off there the commit is unknown, so it is refused."""
    elsewhere = DatabasePubSub(aliases=["elsewhere"])
    with (
        mock.patch("realtime.publish.get_pubsub", return_value=elsewhere),
        autocommit_off(),
        pytest.raises(transaction.TransactionManagementError),
    ):
        publish([MESSAGE])


def test_a_backend_that_fails_does_not_fail_the_writer(pubsub: MemoryPubSub) -> None:
    """The change is committed, and other messages are sent."""
    with transaction.atomic():
        publish([MESSAGE])
        with mock.patch.object(pubsub, "prepare", return_value=lambda: 1 / 0):
            publish([MESSAGE])

    assert sent(pubsub) == 1


@pytest.mark.parametrize("what", [["list:5"], [None], [MESSAGE, {"topic": "list:5"}]])
def test_an_invalid_message_is_refused_before_any_is_sent(
    what: list[Message], pubsub: MemoryPubSub
) -> None:
    """All of them or none."""
    with pytest.raises(InvalidMessage, match="expected a Message"):
        publish(what)

    assert sent(pubsub) == 0


def test_messages_may_come_from_a_generator(pubsub: MemoryPubSub) -> None:
    """It is read once, and now."""
    with transaction.atomic():
        publish(message for message in [MESSAGE, MESSAGE])

    assert sent(pubsub) == 2


async def test_the_async_twin_does_the_same(pubsub: MemoryPubSub) -> None:
    """Also within a transaction of the thread that async code shares."""
    await apublish([MESSAGE])
    assert sent(pubsub) == 1

    def in_transaction() -> None:
        with transaction.atomic():
            publish([MESSAGE])
            transaction.set_rollback(True)

    await sync_to_async(in_transaction)()
    assert sent(pubsub) == 1
