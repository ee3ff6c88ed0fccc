"""Subscribing with a cursor: a client gets what it missed, or a reset."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from demo_todo.models import Task, TodoList
from realtime import Message, aposition
from realtime.messages.message import Reset
from tests.realtime.live_client import LiveClient, connected
from tests.realtime.websocket.telling import in_thread, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stale_cursor_is_echoed_and_then_replayed_from(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """`subscribed` must not carry a position that the client has yet to reach."""
    stale = str(await aposition())
    milk = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    assert await client.subscribe((topic, stale)) == {topic: {"cursor": stale}}

    told = (await client.changed())[topic]
    assert told["changes"] == {"demo_todo.task": {"entered": [str(milk.pk)]}}
    assert told["cursor"] != stale


async def test_the_cursor_of_a_replay_is_valid(ada: User, shopping: TodoList, topic: str) -> None:
    """A client that has caught up, and reconnects with it, gets nothing."""
    stale = str(await aposition())
    await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))
    async with connected(ada) as client:
        await client.subscribe((topic, stale))
        cursor = (await client.changed())[topic]["cursor"]

    async with connected(ada) as client:
        await client.subscribe((topic, cursor))
        assert await client.nothing_waits()


async def test_a_fresh_cursor_needs_no_reset(client: LiveClient, topic: str) -> None:
    """A page that subscribes right after it was rendered stays as it is."""
    fresh = str(await aposition())

    await client.subscribe((topic, fresh))

    assert await client.nothing_waits()


async def test_a_family_reset_since_the_cursor_is_sent(client: LiveClient, topic: str) -> None:
    """It must not be missed because it has another topic."""
    stale = str(await aposition())
    await tell(Message("list:", reset=Reset.BULK))

    await client.subscribe((topic, stale))

    assert "reset" in (await client.changed())[topic]


@pytest.mark.parametrize("cursor", ["garbage", "a.b", "none.0", "x" * 5_000, "٣.٣", ".", "a.-"])
async def test_a_cursor_that_is_none_is_a_reset(
    client: LiveClient, topic: str, cursor: str
) -> None:
    """No replay can be proven complete."""
    assert await client.subscribe((topic, cursor)) == {topic: {"cursor": cursor}}

    assert "reset" in (await client.changed())[topic]


@pytest.mark.parametrize("stale_first", [True, False])
async def test_of_two_cursors_the_older_wins(
    client: LiveClient, shopping: TodoList, topic: str, stale_first: bool
) -> None:
    """Two parts of the page show the topic, one of them an older state."""
    stale = str(await aposition())
    await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))
    fresh = str(await aposition())
    pairs = [(topic, stale), (topic, fresh)]

    told = await client.subscribe(*(pairs if stale_first else pairs[::-1]))

    assert told == {topic: {"cursor": stale}}
    assert "entered" in (await client.changed())[topic]["changes"]["demo_todo.task"]
    assert await client.nothing_waits()
