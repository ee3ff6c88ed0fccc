"""Tasks of a connection end with it."""

from __future__ import annotations

import inspect

from realtime.hub.hub import Hub
from tests.realtime.fakes import FakePubSub
from tests.realtime.transports import connection_of


async def test_a_coroutine_spawned_right_before_the_end_is_closed() -> None:
    """Though it never started, Python warns of no coroutine that was never awaited."""
    connection = connection_of(None, Hub(FakePubSub()))
    begun: list[bool] = []

    async def work() -> None:
        begun.append(True)

    spawned = work()
    connection.spawn(spawned)
    await connection.let_go()

    assert not begun
    assert inspect.getcoroutinestate(spawned) == inspect.CORO_CLOSED


async def test_a_coroutine_spawned_after_the_end_is_closed_at_once() -> None:
    """An ended connection starts no task."""
    connection = connection_of(None, Hub(FakePubSub()))
    await connection.let_go()

    async def work() -> None:
        raise AssertionError

    spawned = work()
    connection.spawn(spawned)

    assert inspect.getcoroutinestate(spawned) == inspect.CORO_CLOSED
