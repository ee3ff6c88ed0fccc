"""Pages are shown while the backend is away, and reset when they subscribe."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from asgiref.sync import sync_to_async

from realtime import aposition, position
from realtime.backends import get_pubsub
from realtime.backends.outbox import flush_relay
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic
from tests.realtime.backends.outbox.conftest import until, write

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("outbox"),
    # These tests do not depend on the database.
    pytest.mark.sqlite,
]


def states(caplog) -> list[int]:
    """Return the levels of the log entries about positions."""
    return [record.levelno for record in caplog.records if "position" in record.message]


def test_a_page_has_the_backends_position(server) -> None:
    """While the backend is available."""
    first = position()
    write(1)
    assert flush_relay(30)

    assert first != position() != NOWHERE


def test_a_page_is_shown_while_the_backend_is_away(server, caplog) -> None:
    """Each state is logged once for all pages."""
    server.kill()
    assert [position() for _ in range(5)] == [NOWHERE] * 5
    server.start()
    until(lambda: position() != NOWHERE)

    assert states(caplog) == [logging.ERROR, logging.WARNING]


def test_only_one_page_waits_for_a_backend_that_hangs(server, monkeypatch) -> None:
    """It is asked once, not once a page."""
    pubsub, asked = get_pubsub(), []
    ask = pubsub.ask_position
    monkeypatch.setattr(pubsub, "ask_position", lambda: asked.append(1) or ask())
    server.freeze()

    assert [position() for _ in range(20)] == [NOWHERE] * 20
    server.thaw()
    assert len(asked) == 1


def test_while_one_page_asks_again_the_others_do_not_wait(monkeypatch) -> None:
    """A backend that hangs may hang for long."""
    pubsub, meanwhile = get_pubsub(), []

    def fail() -> None:
        raise ConnectionError

    def hang() -> None:
        meanwhile.append(position())
        raise TimeoutError

    monkeypatch.setattr(pubsub, "ask_position", fail)
    assert position() == NOWHERE
    monkeypatch.setattr(pubsub._positions, "_not_before", 0.0)
    monkeypatch.setattr(pubsub, "ask_position", hang)

    assert position() == NOWHERE
    assert meanwhile == [NOWHERE]


async def test_a_page_that_was_shown_meanwhile_is_reset(server) -> None:
    """Also if messages were sent since."""
    upstream = get_pubsub().connect()
    await upstream.watch([Topic("list:5")])

    with pytest.raises(CannotReplay):
        await upstream.replay([Topic("list:5")], NOWHERE)
    await upstream.close()


async def test_a_backend_that_hangs_holds_up_no_thread_of_others(monkeypatch) -> None:
    """In particular not the thread that runs all sync code of an async process."""
    pubsub, asked, answer = get_pubsub(), threading.Event(), threading.Event()

    def hang() -> Cursor:
        asked.set()
        assert answer.wait(30)
        return Cursor("late", "1")

    monkeypatch.setattr(pubsub, "ask_position", hang)
    waiting = asyncio.create_task(aposition())
    assert await asyncio.to_thread(asked.wait, 30)

    async with asyncio.timeout(20):
        await sync_to_async(answer.set)()

    assert await waiting == Cursor("late", "1")
