"""The queue into an event loop is bounded, and reports losses."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.backends.inbox import Inbox
from realtime.exceptions import UpstreamLost
from realtime.messages.message import Message

ONE, TWO = Message("list:1"), Message("list:2")


async def within(what):
    return await asyncio.wait_for(what, 30)


async def test_items_are_taken_in_order() -> None:
    """All waiting items at once."""
    inbox = Inbox()
    inbox.put([ONE, TWO])
    inbox.put([ONE])

    assert await within(inbox.take()) == [ONE, TWO, ONE]


async def test_putting_no_items_wakes_no_taker() -> None:
    """A taker always gets at least one message."""
    inbox = Inbox()
    inbox.put([])
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    inbox.put([ONE])

    assert await within(taking) == [ONE]


async def test_an_item_is_taken_once() -> None:
    """The next taker waits for the next item."""
    inbox = Inbox()
    inbox.put([ONE])
    await within(inbox.take())
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    inbox.put([TWO])

    assert await within(taking) == [TWO]


async def test_any_thread_may_call() -> None:
    """The function runs on the loop, in the order of the calls."""
    inbox = Inbox()

    def put_many() -> None:
        for number in range(200):
            inbox.call(inbox.put, [Message(f"list:{number}")])

    thread = threading.Thread(target=put_many)
    thread.start()
    taken: list[Message] = []
    while len(taken) < 200:
        taken += await within(inbox.take())
    thread.join()

    assert taken == [Message(f"list:{number}") for number in range(200)]


async def test_more_than_it_holds_is_a_loss() -> None:
    """It never passes off a part as the whole; the loss is permanent."""
    inbox = Inbox(most=2)
    inbox.put([ONE, TWO])
    inbox.put([ONE])

    for _ in range(2):
        with pytest.raises(UpstreamLost, match="more than 2"):
            await within(inbox.take())
        inbox.put([ONE])


async def test_exactly_what_it_holds_is_none() -> None:
    """The bound is exact."""
    inbox = Inbox(most=2)
    inbox.put([ONE, TWO])

    assert await within(inbox.take()) == [ONE, TWO]


async def test_a_loss_wakes_a_waiting_taker() -> None:
    """With the first reason given."""
    inbox = Inbox()
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)

    inbox.lose("first")
    inbox.lose("second")

    with pytest.raises(UpstreamLost, match="first"):
        await within(taking)
    with pytest.raises(UpstreamLost, match="first"):
        inbox.check()


async def test_a_cancelled_taker_loses_nothing() -> None:
    """Even if it was cancelled at the moment that an item arrived."""
    inbox = Inbox()
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    inbox.put([ONE])
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)

    assert await within(inbox.take()) == [ONE]


def test_a_call_on_a_closed_loop_does_nothing() -> None:
    """A late thread must not fail."""

    async def make() -> Inbox:
        return Inbox()

    inbox = asyncio.run(make())

    inbox.call(inbox.put, [ONE])
