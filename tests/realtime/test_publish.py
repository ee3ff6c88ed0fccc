"""Publishing: on commit, and not at all otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from realtime import Message, apublish, publish
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import InvalidMessage

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE = Message("list:5", reset="bulk")


@pytest.fixture(autouse=True)
def as_the_projects(pubsub: MemoryPubSub) -> Iterator[None]:
    """Publish through the backend that the test looks at."""
    with mock.patch("realtime.publish.get_pubsub", return_value=pubsub):
        yield


def sent(pubsub: MemoryPubSub) -> int:
    return int(pubsub.position().offset)


def test_outside_a_transaction_a_message_goes_out_at_once(pubsub: MemoryPubSub) -> None:
    """There is nothing to wait for."""
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


def test_of_a_transaction_that_rolls_back_nothing_goes_out(pubsub: MemoryPubSub) -> None:
    """Neither of an inner block."""
    with pytest.raises(ZeroDivisionError):
        publish_and_fail()
    with transaction.atomic(), pytest.raises(ZeroDivisionError):
        publish_and_fail()

    assert sent(pubsub) == 0


def test_with_autocommit_off_a_backend_that_does_not_store_refuses(pubsub: MemoryPubSub) -> None:
    """Nobody would tell it of the commit, and to send before that would tell what may not be."""
    transaction.set_autocommit(False)
    try:
        with pytest.raises(transaction.TransactionManagementError):
            publish([MESSAGE])
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert sent(pubsub) == 0


def test_a_hook_that_raises_does_not_hold_it_back(pubsub: MemoryPubSub) -> None:
    """Nor does a backend that fails fail the writer, whose change is committed."""
    with transaction.atomic():
        transaction.on_commit(lambda: 1 / 0, robust=True)
        publish([MESSAGE])
        with mock.patch.object(pubsub, "prepare", return_value=lambda: 1 / 0):
            publish([MESSAGE])

    assert sent(pubsub) == 1


@pytest.mark.parametrize("what", [["list:5"], [None], [MESSAGE, {"topic": "list:5"}]])
def test_what_is_no_message_is_refused_before_anything_is_sent(
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
