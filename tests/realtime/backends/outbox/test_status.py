"""The status report of a project with an outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from unittest import mock

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.test import override_settings

from realtime.backends.outbox import rows
from realtime.backends.outbox.pubsub import OutboxPubSub
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.ops import report as report_module
from realtime.ops.report import State, look
from tests.contract.socket_backend import SocketServer
from tests.realtime.ops.serving import serving_here

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30.0
SOON = 1.0


@pytest_asyncio.fixture
async def serving(outbox: None) -> AsyncIterator[None]:
    """A hub in this process, which answers."""
    async with serving_here():
        yield


async def left_behind() -> None:
    """Commit a record that no relay was given."""
    message = Message(Topic("list:5"), {"a.b": {"1": "updated"}})
    await sync_to_async(rows.write)([message], "default")


async def test_relays_answer_too(serving: None) -> None:
    """How far they are behind."""
    report = await look(PATIENCE)

    assert (report.state, report.problems) == (State.WELL, [])
    assert report.processes is not None
    (answer,) = report.processes
    assert answer.process.relay is not None
    assert not answer.process.relay.away
    assert 0 <= answer.process.relay.lag < PATIENCE
    assert report.outbox == report_module.Outbox(waiting=0, left=0)


async def test_records_that_no_relay_sends_are_reported(outbox: None) -> None:
    """After as long as another process may take to find them."""
    await left_behind()

    report = await look(SOON)

    assert report.state is State.NOT_RUNNING
    assert "1 records wait in the outbox, and no process sends them" in report.problems


async def test_records_that_a_relay_sends_are_not_reported(
    run: Callable[..., object], serving: None
) -> None:
    """A relay that has them needs some time."""
    await left_behind()
    run("manage.py", "realtime_relay")
    with mock.patch.object(report_module.conf, "OUTBOX_SWEEP", 10):
        report = await look(PATIENCE)

    assert report.outbox is not None
    assert report.outbox.left == 0
    assert report.state is State.WELL


async def test_a_backend_that_takes_nothing_is_away(
    server: SocketServer, settings_of: Callable[..., dict[str, object]], serving: None
) -> None:
    """Such as one that gives its position, and hangs when it is sent messages."""
    with (
        override_settings(REALTIME=settings_of()),
        mock.patch.object(OutboxPubSub, "facts", return_value={}),
    ):
        server.kill()
        report = await asyncio.wait_for(look(SOON), PATIENCE)

    assert report.state is State.BACKEND_AWAY
    assert report.problems[0].startswith("the backend carries no messages: ")
