"""A backend whose every step a test can delay, let fail, or inspect."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from realtime.backends.base import PubSub, Upstream, nothing_to_do
from realtime.exceptions import UpstreamLost
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic


class FakePubSub(PubSub):
    """Makes `FakeUpstream`s and keeps all of them: `upstreams[-1]` is the one in use.

    `fail` holds the errors that the next calls of `connect()` raise, if any. `yields` is how often
    each of an upstream's methods at most yields to other tasks before and after its work, so that
    one call may overtake another.
    """

    def __init__(self, yields: int = 0) -> None:
        super().__init__()
        self.yields = yields
        self.chance = random.Random(yields)
        self.upstreams: list[FakeUpstream] = []
        self.fail: list[BaseException | None] = []
        self.late: set[Topic] = set()
        """The topics that upstreams do not resume in time."""
        self.connected = asyncio.Event()

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        return nothing_to_do

    def position(self) -> Cursor:
        return Cursor("fake", "0")

    def connect(self) -> FakeUpstream:
        if self.fail and (error := self.fail.pop(0)) is not None:
            raise error
        self.upstreams.append(FakeUpstream(self, len(self.upstreams)))
        return self.upstreams[-1]

    @property
    def current(self) -> FakeUpstream:
        """The upstream that was made last."""
        return self.upstreams[-1]


class FakeUpstream(Upstream):
    """Delivers the messages given to `say()`; `break_with()` makes `receive()` raise."""

    def __init__(self, pubsub: FakePubSub, number: int) -> None:
        self._pubsub = pubsub
        self._queue: asyncio.Queue[Message | BaseException] = asyncio.Queue()
        self._sent = 0
        self.number = number
        self.watched: set[Topic] = set()
        self.closed = False
        self.fail_watch: list[BaseException] = []
        self.fail_unwatch: list[BaseException] = []
        self.fail_replay: list[BaseException] = []
        self.fail_check: list[BaseException] = []
        self.watch_may_return = asyncio.Event()
        self.watch_may_return.set()
        self.watching = asyncio.Event()

    def cursor(self) -> Cursor:
        return Cursor(f"fake-{self.number}", str(self._sent))

    def say(self, *messages: Message) -> None:
        """Deliver messages of watched topics, each with the next cursor."""
        for message in messages:
            self._sent += 1
            if message.topic in self.watched:
                at = replace(message, cursor=self.cursor())
                self._queue.put_nowait(at)

    def break_with(self, error: BaseException) -> None:
        self._queue.put_nowait(error)

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        asked = tuple(topics)
        await self._pause()
        if self.fail_watch:
            raise self.fail_watch.pop(0)
        self.watching.set()
        await self.watch_may_return.wait()
        if self.closed:
            raise UpstreamLost("closed")
        self.watched.update(asked)
        await self._pause()
        return self.cursor()

    async def resume(self, topics: Collection[Topic], patience: float) -> Collection[Topic]:
        watched = await super().resume(topics, patience)
        return set(watched) - self._pubsub.late

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        await self._pause()
        if self.fail_unwatch:
            raise self.fail_unwatch.pop(0)
        self.watched.difference_update(topics)
        await self._pause()

    async def receive(self) -> Sequence[Message]:
        got = await self._queue.get()
        if isinstance(got, BaseException):
            raise got
        return [got]

    def head(self) -> Cursor:
        return self.cursor()

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        if self.fail_replay:
            raise self.fail_replay.pop(0)
        return []

    async def check(self) -> None:
        if self.fail_check:
            raise self.fail_check.pop(0)

    async def close(self) -> None:
        self.closed = True

    async def _pause(self) -> None:
        for _ in range(self._pubsub.chance.randint(0, self._pubsub.yields)):
            await asyncio.sleep(0)
