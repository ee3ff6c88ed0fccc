"""`listen()` in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import listen
from realtime.backends.memory import MemoryPubSub
from realtime.exceptions import InvalidCursor, InvalidTopic
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.server import close_server, server_of
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, row, send, within


@pytest.fixture(autouse=True)
def as_the_projects(pubsub: MemoryPubSub) -> Iterator[None]:
    with mock.patch("realtime.server.get_pubsub", return_value=pubsub):
        yield


@asynccontextmanager
async def listening(*topics: str, since: object = None) -> AsyncIterator[AsyncIterator[Message]]:
    """Listen, and close at the end."""
    messages = listen(topics, since)  # type: ignore[arg-type]
    try:
        yield messages
    finally:
        await messages.aclose()  # type: ignore[attr-defined]
        await close_server()


async def test_messages_are_given_as_they_come(pubsub: MemoryPubSub) -> None:
    """Those of the given topics, and their families' under the topics' names."""
    async with listening(LIST, LIST) as messages:
        first = asyncio.ensure_future(anext(messages))
        while not pubsub._history._upstreams:
            await asyncio.sleep(0)
        send(pubsub, row(OTHER, 1), row(LIST, 2))

        assert (await within(first)).changes == row(LIST, 2).changes
        send(pubsub, Message(FAMILY, reset="bulk"))
        told = await within(anext(messages))
        assert (told.topic, told.reset) == (LIST, "bulk")


async def test_messages_behind_the_cursor_come_first(pubsub: MemoryPubSub) -> None:
    """A worker that continues from the last cursor has received all of them."""
    since = pubsub.position()
    send(pubsub, row(LIST, 1))

    async with listening(LIST, since=str(since)) as messages:
        told = await within(anext(messages))
    assert told.changes == row(LIST, 1).changes

    async with listening(LIST, since=told.cursor) as messages:
        send(pubsub, row(LIST, 2))
        assert (await within(anext(messages))).changes == row(LIST, 2).changes


async def test_a_cursor_stands_behind_all_that_was_given(pubsub: MemoryPubSub) -> None:
    """Of messages that waited together the last has it: the first may have arrived last."""
    async with listening(LIST, OTHER, since=pubsub.position()) as messages:
        send(pubsub, row(LIST, 0))
        assert (await within(anext(messages))).cursor is not None
        send(pubsub, row(LIST, 1), row(OTHER, 2), row(LIST, 3))
        first = await within(anext(messages))
        last = await within(anext(messages))

    assert first.changes == {"shop.order": {"1": "updated", "3": "updated"}}
    assert first.cursor is None
    async with listening(LIST, OTHER, since=last.cursor) as messages:
        send(pubsub, row(OTHER, 4))
        assert (await within(anext(messages))).changes == row(OTHER, 4).changes


@given(
    sent=st.lists(st.tuples(st.sampled_from([LIST, OTHER]), st.booleans()), max_size=12),
    dealt=st.integers(0, 12),
)
async def test_a_worker_that_dies_anywhere_misses_nothing(
    sent: list[tuple[Topic, bool]], dealt: int
) -> None:
    """It continues from its last cursor, and receives all later messages."""
    pubsub = MemoryPubSub()
    with mock.patch("realtime.server.get_pubsub", return_value=pubsub):
        done: set[str] = set()
        known = pubsub.position()
        async with listening(LIST, OTHER, since=known) as messages:
            told = 0
            for number, (topic, wait) in enumerate(sent):
                send(pubsub, row(topic, number))
                if wait and told < dealt:
                    message = await within(anext(messages))
                    done |= set(message.changes.get("shop.order", ()))
                    known, told = message.cursor or known, told + 1
        async with listening(LIST, OTHER, since=known) as messages:
            while len(done) < len(sent):
                done |= set((await within(anext(messages))).changes.get("shop.order", ()))


async def test_a_cursor_that_proves_nothing_is_a_reset(pubsub: MemoryPubSub) -> None:
    """As for any client."""
    async with listening(LIST, since="another.life") as messages:
        assert (await within(anext(messages))).reset == Reset.BACKEND_RESTART


async def test_messages_are_merged_while_a_worker_is_slow(pubsub: MemoryPubSub) -> None:
    """It gets all of them, in one."""
    async with listening(LIST, since=pubsub.position()) as messages:
        send(pubsub, row(LIST, 1))
        await within(anext(messages))
        for number in range(2, 50):
            send(pubsub, row(LIST, number))
        told: set[str] = set()
        while len(told) < 48:
            told |= set((await within(anext(messages))).changes["shop.order"])


async def test_a_listener_that_ends_leaves_nothing_behind(pubsub: MemoryPubSub) -> None:
    """Nor does one that is cancelled while it waits."""
    send(pubsub, row(LIST, 0))
    hub = server_of(make=lambda: pubsub).hub
    messages = listen([LIST])
    waiting = asyncio.ensure_future(anext(messages))
    while not hub._subscribers.topics():
        await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await messages.aclose()  # type: ignore[attr-defined]

    assert not hub._subscribers.topics()
    await close_server()


@pytest.mark.parametrize(
    ("topics", "since", "error"),
    [
        (["list:"], None, InvalidTopic),
        (["list"], None, InvalidTopic),
        (["list:5"], "x", InvalidCursor),
    ],
)
async def test_invalid_topics_and_cursors_are_refused(
    topics: list[str], since: str, error: type[Exception]
) -> None:
    """A bare family is for servers only."""
    with pytest.raises(error, match="expected"):
        await anext(listen(topics, since))
