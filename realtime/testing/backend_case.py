"""Helpers of the contract's tests: instances, upstreams, and sending from transactions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from realtime.backends.base import PubSub, Upstream
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.publish import publish

if TYPE_CHECKING:
    from unittest import TestCase as Mixin
else:
    # Only a subclass makes it a TestCase: a test runner must not collect the contract itself.
    Mixin = object

T = TypeVar("T")


class BackendCase(Mixin):
    """Helpers around `make_pubsub()`. Every wait has a deadline."""

    patience: float = 10.0
    """Seconds after which an expected message counts as lost."""

    rounds: int = 40
    """How often a race is run."""

    using: str = DEFAULT_DB_ALIAS
    """The database of the senders' transactions."""

    def make_pubsub(self) -> PubSub:
        """Return a new instance of the backend.

        All instances that one test makes exchange messages; none receives messages of earlier
        tests.
        """
        raise NotImplementedError(f"expected {type(self).__name__} to define make_pubsub()")

    @asynccontextmanager
    async def upstream(self, *topics: Topic) -> AsyncIterator[Upstream]:
        """Connect through an instance of its own, watch `topics`, and close at the end."""
        upstream = self.make_pubsub().connect()
        try:
            if topics:
                await self.within(upstream.watch(topics))
            yield upstream
        finally:
            await self.within(upstream.close())

    async def send(self, *messages: Message) -> None:
        """Send messages in a transaction of their own, through an instance of its own."""
        await sync_to_async(self.send_now)(self.make_pubsub(), messages)

    async def receive(self, upstream: Upstream, count: int) -> list[Message]:
        """Return the next `count` messages without their cursors, or fail."""
        return [without_cursor(message) for message in await self.receive_raw(upstream, count)]

    async def receive_raw(self, upstream: Upstream, count: int) -> list[Message]:
        """Return the next `count` messages, or fail. A message that arrives twice counts once."""
        received: dict[str, Message] = {}
        try:
            async with asyncio.timeout(self.patience):
                while len(received) < count:
                    received |= {repr(message): message for message in await upstream.receive()}
        except TimeoutError:
            last = list(received)[-1:]
            self.fail(
                f"expected {count} messages within {self.patience} s,"
                f" got {len(received)}, at last {last}"
            )
        self.assertEqual(len(received), count, f"messages too many: {list(received)}")
        return list(received.values())

    async def within(self, what: Awaitable[T]) -> T:
        """Await `what`, for at most `patience` seconds."""
        return await asyncio.wait_for(what, self.patience)

    def send_now(self, pubsub: PubSub, messages: Sequence[Message]) -> None:
        """Send from this thread, in a transaction of its own."""
        with transaction.atomic(using=self.using):
            committed = pubsub.prepare(messages, self.using)
        committed()

    async def roll_back(self, send: Callable[[], object]) -> None:
        """Call `send` in a transaction that rolls back."""

        def run() -> None:
            with transaction.atomic(using=self.using):
                send()
                transaction.set_rollback(True, using=self.using)

        await sync_to_async(run)()

    async def commit(self, send: Callable[[], object]) -> None:
        """Call `send` in a transaction that commits."""

        def run() -> None:
            with transaction.atomic(using=self.using):
                send()

        await sync_to_async(run)()

    def publish(self, *messages: Message) -> None:
        """Send with `realtime.publish()`, through an instance of this backend."""
        with self._as_the_projects():
            publish(messages, self.using)

    def _as_the_projects(self) -> AbstractContextManager[object]:
        return mock.patch("realtime.publish.get_pubsub", self.make_pubsub)

    @asynccontextmanager
    async def open_transaction(self, *messages: Message) -> AsyncIterator[None]:
        """Prepare messages in a transaction, in a thread, that commits when this block ends."""
        pubsub = self.make_pubsub()
        prepared, may_commit = threading.Event(), threading.Event()

        def run() -> None:
            with transaction.atomic(using=self.using):
                committed = pubsub.prepare(messages, self.using)
                prepared.set()
                may_commit.wait(self.patience)
            committed()

        async with self._thread(run):
            try:
                await asyncio.to_thread(prepared.wait, self.patience)
                yield
            finally:
                may_commit.set()

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Callable[[Message], None]]:
        """Yield a function that queues a message; a thread sends each in its own transaction.

        All of them have been sent when the block ends.
        """
        pubsub = self.make_pubsub()
        waiting: SimpleQueue[Message | None] = SimpleQueue()

        def run() -> None:
            for message in iter(waiting.get, None):
                self.send_now(pubsub, [message])

        async with self._thread(run):
            try:
                yield waiting.put
            finally:
                waiting.put(None)

    @asynccontextmanager
    async def _thread(self, run: Callable[[], None]) -> AsyncIterator[None]:
        def run_and_close() -> None:
            try:
                run()
            finally:
                connections[self.using].close()

        running = asyncio.create_task(asyncio.to_thread(run_and_close))
        try:
            yield
        finally:
            await running

    async def assert_lost(self, what: Awaitable[object]) -> None:
        """Assert that `what` raises UpstreamLost."""
        with self.assertRaises(UpstreamLost):
            await self.within(what)

    async def replayed(
        self, upstream: Upstream, topics: Collection[Topic], since: Cursor
    ) -> list[Message] | None:
        """Return the replayed messages, without cursors; None if the backend cannot replay."""
        try:
            found = await self.within(upstream.replay(topics, since))
        except CannotReplay as error:
            self.assertTrue(error.reason, "expected CannotReplay to give a reset's reason")
            return None
        self.assertTrue(all(message.cursor for message in found), "expected cursors in a replay")
        return [without_cursor(message) for message in found]

    async def assert_told_since(
        self, upstream: Upstream, topics: Collection[Topic], since: Cursor, *sent: Message
    ) -> None:
        """Assert that a client with the cursor `since` gets all of `sent`, in order, or a reset.

        It gets the replayed messages, and those that the upstream, which watches, receives from
        there on.
        """
        received = await self.replayed(upstream, topics, since)
        if received is None:
            return
        async with asyncio.timeout(self.patience):
            while not all(message in received for message in sent):
                received += map(without_cursor, await upstream.receive())
        first = [received.index(message) for message in sent]
        self.assertEqual(first, sorted(first), "received in another order")

    async def assert_nothing_since(
        self, upstream: Upstream, topics: Collection[Topic], since: Cursor
    ) -> None:
        """Assert an empty replay after `since`; CannotReplay if the backend supports no replay."""
        expected: list[Message] | None = [] if self.make_pubsub().supports_replay else None
        self.assertEqual(await self.replayed(upstream, topics, since), expected, since)

    async def assert_refused(self, upstream: Upstream, since: Cursor) -> None:
        """Assert that the backend raises CannotReplay for a cursor."""
        self.assertIsNone(await self.replayed(upstream, [Topic("list:5")], since), since)


def without_cursor(message: Message) -> Message:
    """Return a message as it was before the backend added a cursor."""
    return Message(message.topic, message.changes, message.reset, extra=message.extra)
