"""Delays upstream unsubscribes by LINGER seconds.

So a page reload does not unsubscribe and then subscribe again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from realtime.concurrency import end
from realtime.conf import conf
from realtime.messages.topics import Topic


class DelayedUnwatch:
    """Topics that are to be unwatched later.

    Owner of its timers and tasks: the event loop of a hub.
    """

    def __init__(self, leave: Callable[[Topic], Awaitable[None]]) -> None:
        """`leave(topic)` unwatches a topic, unless it has a subscriber again."""
        self._leave = leave
        self._timers: dict[Topic, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def add(self, topic: Topic) -> None:
        """Leave a topic once it had no subscriber for LINGER seconds from now."""
        if known := self._timers.pop(topic, None):
            known.cancel()
        loop = asyncio.get_running_loop()
        self._timers[topic] = loop.call_later(conf.LINGER, self._begin, topic)

    async def close(self) -> None:
        """Cancel all timers; leave no further topic."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await end(*self._leaving)

    def _begin(self, topic: Topic) -> None:
        self._timers.pop(topic, None)
        task = asyncio.create_task(self._run(topic))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _run(self, topic: Topic) -> None:
        await self._leave(topic)
