"""The findings of a report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from django.db import OperationalError

from realtime.backends import get_pubsub
from realtime.backends.memory import MemoryPubSub
from realtime.ops import report as report_module
from realtime.ops import rpc
from realtime.ops.report import State, look
from tests.realtime.ops.serving import serving_here

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

PATIENCE = 30.0
SOON = 1.0


@pytest_asyncio.fixture
async def serving() -> AsyncIterator[None]:
    """A hub in this process, which answers."""
    async with serving_here():
        yield


async def test_all_is_well(serving: None) -> None:
    """A process answers, and records are counted."""
    report = await look(PATIENCE)

    assert (report.state, report.problems) == (State.WELL, [])
    assert report.processes is not None
    assert [answer.process.topics for answer in report.processes] == [0]
    assert set(report.facts) == {"position", "records"}
    assert report.outbox is None


async def test_no_process_serves() -> None:
    """No process answers."""
    report = await look(SOON)

    assert report.state is State.NOT_RUNNING
    assert report.problems == ["no process that serves has answered within 1 seconds"]


async def test_the_backend_is_away(serving: None) -> None:
    """Then no process can be asked."""
    away = mock.patch.object(type(get_pubsub()), "position", side_effect=OperationalError("gone"))
    with away:
        report = await look(PATIENCE)

    assert report.state is State.BACKEND_AWAY
    assert report.problems == ["the backend does not answer: OperationalError: gone"]


async def test_a_backend_that_hangs_is_away(serving: None, monkeypatch) -> None:
    """The question was not sent, so no answer says nothing about the processes."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(rpc, "send", hang)
    report = await look(SOON)

    assert report.state is State.BACKEND_AWAY
    assert report.problems == [
        "the backend carries no messages: it did not take a question in time"
    ]


async def test_a_backend_that_does_not_answer_in_time_is_away(serving: None, monkeypatch) -> None:
    """The report does not wait longer for it."""
    go_on = threading.Event()
    monkeypatch.setattr(type(get_pubsub()), "facts", lambda _: go_on.wait(PATIENCE) and {})

    report = await look(SOON)
    go_on.set()

    assert report.state is State.BACKEND_AWAY
    assert report.problems == ["the backend does not answer: TimeoutError"]


async def test_an_answer_of_another_version_is_left_out(serving: None, monkeypatch) -> None:
    """The other answers are reported."""
    ask = rpc.ask

    async def with_a_stranger(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with aclosing(ask(*args, **kwargs)) as answers:
            async for answer in answers:
                yield answer
                yield {"spoken": "otherwise"}

    monkeypatch.setattr(rpc, "ask", with_a_stranger)
    report = await look(PATIENCE)

    assert (report.state, len(report.processes or ())) == (State.WELL, 1)


async def test_a_part_of_the_backend_is_away(serving: None) -> None:
    """Its topics receive no messages, though the other parts work."""
    parts = {"servers": {"one": {"topics": 3}, "two": {"error": "refused"}}}
    with mock.patch.object(type(get_pubsub()), "facts", return_value=parts):
        report = await look(PATIENCE)

    assert report.state is State.BACKEND_AWAY
    assert report.problems == ["a part of the backend is away: two: refused"]


async def test_processes_that_cannot_be_asked_are_not() -> None:
    """Messages of the memory backend stay within each process."""
    with mock.patch.object(report_module, "get_pubsub", return_value=MemoryPubSub()):
        report = await look(PATIENCE)

    assert (report.state, report.processes) == (State.WELL, None)
