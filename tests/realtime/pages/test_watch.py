"""Positions: a client that subscribes with one receives all changes that its view did not read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connections, transaction

from realtime import Message, aposition, position
from realtime.backends import PubSub
from realtime.backends.database import DatabasePubSub
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = Topic("list:5")


@pytest.fixture(params=["memory", "database"])
def backend(request: pytest.FixtureRequest, pubsub: MemoryPubSub) -> Iterator[PubSub]:
    """Each backend as the project's own."""
    chosen = pubsub if request.param == "memory" else DatabasePubSub()
    with mock.patch("realtime.pages.watch.get_pubsub", return_value=chosen):
        yield chosen


def commit_elsewhere(backend: PubSub) -> None:
    """Change a row and send a message, in another thread with its own database connection."""

    def write() -> None:
        with transaction.atomic():
            Group.objects.create(name="later")
            send = backend.prepare([Message(TOPIC, reset="bulk")], "default")
        send()
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def is_proven(backend: PubSub, since: Cursor) -> bool:
    """Return whether a replay proves that no message follows a cursor."""

    async def ask() -> bool:
        upstream = backend.connect()
        try:
            await upstream.watch([TOPIC])
            return not await upstream.replay([TOPIC], since)
        except CannotReplay:
            return False
        finally:
            await upstream.close()

    return async_to_sync(ask)()


@contextmanager
def transaction_of_one_snapshot() -> Iterator[None]:
    """Begin a transaction whose reads all see the snapshot of the first."""
    connection = transaction.get_connection()
    connection.ensure_connection()  # which reads the mode from the settings
    if connection.vendor == "sqlite":
        with mock.patch.object(connection, "transaction_mode", "DEFERRED"), transaction.atomic():
            yield
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield


def test_a_position_before_the_first_query_of_a_thread_is_valid(backend: PubSub) -> None:
    """That query comes after the position."""
    taken: list[Cursor] = []

    def first_request() -> None:
        assert connections["default"].connection is None
        taken.append(position())
        connections.close_all()

    commit_elsewhere(backend)
    thread = threading.Thread(target=first_request)
    thread.start()
    thread.join()

    assert is_proven(backend, *taken)


def test_a_position_within_an_older_snapshot_leads_to_a_reset(backend: PubSub) -> None:
    """The transaction had read before the commit that the position covers."""
    with transaction_of_one_snapshot():
        before = Group.objects.count()
        commit_elsewhere(backend)
        taken = position()
        assert Group.objects.count() == before

    assert not is_proven(backend, taken)


def test_a_position_outside_a_transaction_needs_no_reset(backend: PubSub) -> None:
    """Later reads are at least as new."""
    commit_elsewhere(backend)

    taken = position()

    assert is_proven(backend, taken)


def test_an_async_position_considers_the_transaction_too(backend: PubSub) -> None:
    """It checks the connection on which the ORM reads for async code."""
    commit_elsewhere(backend)  # an empty history has no position

    with transaction.atomic():
        taken = async_to_sync(aposition)()

    assert (taken != NOWHERE) is backend.stores_on("default")
