"""Dependencies: the hub's subscriptions to what rules depend on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from realtime import Message, Topic
from realtime.access import allow
from realtime.connections.dependencies import Dependencies
from realtime.hub.hub import Hub
from tests.realtime.access.conftest import ADA, PATIENCE, until
from tests.realtime.transports import connection_of

ONE, TWO, TEAM = Topic("list:1"), Topic("list:2"), Topic("team:red")


class Doubts:
    """Records the topics in doubt."""

    def __init__(self) -> None:
        self.topics: list[Topic] = []

    def doubt(self, topics: Iterable[Topic]) -> None:
        self.topics += topics


async def test_a_dependency_dropped_while_another_task_subscribes_it_stays_subscribed(
    fake_hub: Hub,
) -> None:
    """Two tasks of a connection find the same dependency; one topic ends before the second's."""
    allow("list", depends=lambda user, key: [TEAM])(lambda user, key: True)
    await fake_hub._connection()
    upstream = fake_hub._pubsub.current  # type: ignore[attr-defined]
    client, doubts = connection_of(ADA, fake_hub), Doubts()
    dependencies = Dependencies(client, doubts)
    upstream.watch_may_return.clear()
    first = asyncio.create_task(dependencies.watch([ONE]))
    second = asyncio.create_task(dependencies.watch([TWO]))
    await until(lambda: len(dependencies._subscribing) == 2)
    await until(upstream.watching.is_set)

    # The backend confirms the first alone.
    upstream.watch_may_return.set()
    upstream.watch_may_return.clear()
    await asyncio.wait({first, second}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    assert first.done() != second.done()
    ended, left = (ONE, TWO) if first.done() else (TWO, ONE)
    dependencies.drop({ended})
    upstream.watch_may_return.set()
    await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)

    upstream.say(Message(TEAM, {"a.b": {"1": "updated"}}))
    await until(lambda: doubts.topics)
    assert doubts.topics == [left]
    # No task subscribes any longer: the last topic that depends on it ends the subscription.
    dependencies.drop({left})
    assert not fake_hub._subscribers.topics()
    assert not dependencies._subscribing
    await client.let_go()
