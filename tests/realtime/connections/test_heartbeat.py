"""One timer serves the heartbeats of all connections of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from django.test import override_settings

from realtime.connections.connection import Connection
from realtime.connections.heartbeat import Heartbeat
from tests.realtime.transports import FakeTransport, connection_of


class Beating(FakeTransport):
    """Records each beat, and removes itself if it is told to."""

    def __init__(self, beaten: Callable[[Beating], None] = lambda _: None) -> None:
        super().__init__()
        self._beaten = beaten

    def beat(self) -> None:
        super().beat()
        self._beaten(self)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_each_connection_beats_again_and_again() -> None:
    """With one timer for all of them, and none after the last one."""
    heart, transports = Heartbeat(), [Beating() for _ in range(3)]
    connections = [connection_of(None, None, each) for each in transports]
    for connection in connections:
        heart.add(connection)

    await until(lambda: all(each.beats >= 3 for each in transports))

    for connection in connections:
        heart.remove(connection)
    assert heart._timer is None


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_one_that_leaves_while_others_beat_does_not_beat() -> None:
    """Another connection's beat may end it."""
    heart = Heartbeat()
    others: list[Connection] = []
    first = Beating(lambda _: heart.remove(others[0]))
    second = Beating()
    connections = [connection_of(None, None, each) for each in (first, second)]
    others.append(connections[1])
    for connection in connections:
        heart.add(connection)

    await until(lambda: first.beats >= 2)

    assert second.beats == 0
    heart.remove(connections[0])


@override_settings(REALTIME={"HEARTBEAT": 0.02})
async def test_a_beat_that_fails_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Its connection ends; the other beats go on."""

    def fail(_: Beating) -> None:
        raise ZeroDivisionError

    heart, bad, good = Heartbeat(), Beating(fail), Beating()
    connections = [connection_of(None, None, each) for each in (bad, good)]
    for connection in connections:
        heart.add(connection)

    await until(lambda: good.beats >= 2)

    assert isinstance(bad.failed, ZeroDivisionError)
    for connection in connections:
        heart.remove(connection)


@override_settings(REALTIME={"HEARTBEAT": 0.01, "RECHECK": 0.05})
async def test_every_connection_is_rechecked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A net for changes that send no message; a rule that fails then revokes nothing."""
    heart = Heartbeat()
    connection = connection_of(None, None, Beating())
    looks: list[bool] = []

    def look(_: object, *, strict: bool) -> None:
        looks.append(strict)

    monkeypatch.setattr(type(connection.authorization), "doubt_all", look)
    heart.add(connection)

    await until(lambda: len(looks) >= 3)

    assert set(looks) == {False}
    heart.remove(connection)
