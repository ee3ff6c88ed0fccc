"""The answers of a poll, and their time."""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from realtime import Message, aposition
from realtime.exceptions import BackendMissing
from realtime.server import Server, server_of
from tests.realtime.http.requests import answer, asking, query
from tests.realtime.live_client import PATIENCE
from tests.realtime.websocket.telling import SENTINEL, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_poll_without_a_cursor_gets_one(ada: User, topic: str) -> None:
    """At once; the client reads older data itself."""
    await tell(Message(topic, {"a.b": {"1": "left"}}))

    status, found = await answer(ada, query("changes", topic, SENTINEL))

    assert (status, found["topics"]) == (200, {})
    await tell(Message(SENTINEL, {"a.b": {"2": "left"}}))
    _, found = await answer(ada, query("changes", topic, SENTINEL, since=found["cursor"]))
    assert set(found["topics"]) == {SENTINEL}


async def test_changes_behind_the_cursor_are_answered_at_once(
    ada: User, since: str, topic: str
) -> None:
    """As in a frame, with a cursor behind them."""
    await tell(Message(topic, {"a.b": {"1": "left"}}))

    _, found = await answer(ada, query("changes", topic, since=since, wait=20))

    entry = found["topics"][topic]
    assert entry["changes"] == {"a.b": {"left": ["1"]}}
    _, found = await answer(ada, query("changes", topic, since=found["cursor"], wait=0))
    assert found["topics"] == {}


async def test_a_poll_waits_for_changes(ada: User, since: str, topic: str) -> None:
    """And answers when there are any."""
    async with asking(ada, query("changes", topic, since=since, wait=20)) as request:
        async with asyncio.timeout(PATIENCE):
            while not any(each.subscriptions.cursors for each in server_of().connections):
                await asyncio.sleep(0.001)
        (connection,) = server_of().connections
        assert connection.transport.name == "poll"
        assert request.communicator.output_queue.empty()
        await tell(Message(topic, reset="bulk"))

        await request.answered()
        found = await request.json()

    assert found["topics"][topic]["reset"] == "bulk"
    assert request.headers["Cache-Control"] == "no-store"


@override_settings(REALTIME={"POLL_WAIT": 0.05})
@pytest.mark.parametrize("wait", [{}, {"wait": 0.01}, {"wait": 0}, {"wait": 1e9}])
async def test_a_poll_has_a_deadline(
    ada: User, since: str, topic: str, wait: dict[str, float]
) -> None:
    """The answer is empty, with a cursor."""
    await tell(Message("nobody:1", reset="bulk"))

    status, found = await answer(ada, query("changes", topic, since=since, **wait))

    assert (status, found["topics"]) == (200, {})
    assert found["cursor"] != since


@pytest.mark.parametrize("since", ["", "garbage", "a.b", "none.0", "x" * 3_000])
async def test_a_cursor_that_proves_nothing_is_a_reset(ada: User, topic: str, since: str) -> None:
    """With a cursor to go on from."""
    _, found = await answer(ada, query("changes", topic, since=since))

    assert "reset" in found["topics"][topic]
    _, found = await answer(ada, query("changes", topic, since=found["cursor"], wait=0))
    assert found["topics"] == {}


async def test_of_two_cursors_the_older_wins(ada: User, since: str, topic: str) -> None:
    """Two parts of a page were made at different times."""
    await tell(Message(topic, {"a.b": {"1": "left"}}))
    fresh = str(await aposition())

    _, found = await answer(ada, query("changes", topic, since=[since, fresh]))

    assert found["topics"][topic]["changes"] == {"a.b": {"left": ["1"]}}


async def test_an_outage_is_not_answered_as_no_changes(
    ada: User, since: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the backend is away the poll fails: an empty answer would say "no changes"."""
    monkeypatch.setattr("realtime.transports.poll.SETTLE_TIMEOUT", 0.05)
    await answer(ada, query("changes", topic))
    monkeypatch.setattr(type(server_of().hub), "head", lambda *_: None)

    for path in (query("changes", topic), query("changes", topic, since=since, wait=0)):
        status, found = await answer(ada, path)
        assert (status, found["error"]["code"]) == (503, "backend-away")


async def test_a_backend_that_cannot_be_made_is_logged_once(
    ada: User, topic: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its traceback, however many clients ask; and its end."""

    def no_server() -> Server:
        raise BackendMissing("no such module")

    with monkeypatch.context() as patched:
        patched.setattr("realtime.server.server_of", no_server)
        for _ in range(3):
            assert (await answer(ada, query("changes", topic)))[0] == 503
    assert (await answer(ada, query("changes", topic)))[0] == 200

    logged = [each for each in caplog.records if "this process receives" in each.getMessage()]
    assert [bool(each.exc_info) for each in logged] == [True, False]
