"""The hub, one per event loop, between the backend and the connections.

It watches each topic once upstream, for any number of clients, and fans messages out to them. A
subscriber of `list:5` also receives messages of the family `list:`, under the topic `list:5`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

from realtime.backends import PubSub, Upstream
from realtime.backends.outage import Outage
from realtime.concurrency import Backoff, end, until_one_ends
from realtime.conf import conf
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.hub.delayed_unwatch import DelayedUnwatch
from realtime.hub.fan_out import FanOut, as_told
from realtime.hub.observers import Observer, Observers
from realtime.hub.subscribers import Sink, Subscribers
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.telemetry import counters

logger = logging.getLogger("realtime.hub")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts to reach a backend that is away; see Backoff."""

PATIENCE = 1.0
"""Seconds in which each part of a backend must answer. Only its own topics wait for a slow part."""

ENDS_WITHIN = 15.0
"""Seconds that an upstream may take to close."""

SWEEP = 3.0
"""Seconds between checks of the upstream."""


class Hub:
    """Fans messages out to mailboxes. Owner of all its state: one event loop.

    One task, the listener, makes and closes the upstream. When the upstream is lost, or the
    listener fails otherwise, a new upstream watches all wanted topics, and then every subscriber is
    reset. So a client may receive changes late, but is never silently stale.
    """

    def __init__(self, pubsub: PubSub, observers: Sequence[Observer] = ()) -> None:
        """`observers` belong to this hub; registered observers are added to them."""
        self._pubsub = pubsub
        self._subscribers = Subscribers()
        self._observers = Observers(observers)
        self._fan_out = FanOut(self._subscribers, self._observers)
        self._upstream: Upstream | None = None
        self._connected = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._outage = Outage(
            logger,
            away="the backend is away, or may have lost messages; clients are reset",
            back="the backend is back",
            level=logging.WARNING,
            expected=UpstreamLost,
        )
        self._was_connected = False
        """True once there has been an upstream: the next one resets its subscribers."""
        self._locks: WeakValueDictionary[Topic, asyncio.Lock] = WeakValueDictionary()
        self._lingering = DelayedUnwatch(self._unwatch)

    async def subscribe(self, sink: Sink, topic: Topic) -> Cursor:
        """Put `topic`'s messages into `sink` from now on; return once the backend confirmed.

        `sink` receives all of the topic's messages after the returned cursor. While the backend is
        away this waits. If it is cancelled, the subscription is removed.
        """
        self._subscribers.add(topic, sink)
        try:
            # Without the lock: while the backend is away other subscribers must be able to leave.
            await self._connection()
            async with self._transition(topic):
                return await self._watch([topic, topic.family])
        except BaseException:
            await self.unsubscribe(sink, topic)
            raise

    async def unsubscribe(self, sink: Sink, *topics: Topic) -> None:
        """Stop putting messages of `topics` into `sink`; unwatch topics without subscribers.

        Topics are unwatched after LINGER seconds, so that a page reload causes no unsubscribe.
        """
        await self.unwatch(self.leave(sink, *topics))

    def leave(self, sink: Sink, *topics: Topic) -> list[Topic]:
        """Stop putting messages of `topics` into `sink`; return those to pass to `unwatch()` now.

        It never awaits, so a task that dies leaves no subscription behind.
        """
        last = []
        for topic in topics:
            sink.discard(topic)
            if self._subscribers.remove(topic, sink):
                last.append(topic)
        if not conf.LINGER:
            return last
        for topic in last:
            self._lingering.add(topic)
        return []

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Stop watching those of these topics that have no subscribers."""
        for topic in topics:
            await self._unwatch(topic)

    async def replay(self, topic: Topic, since: Cursor) -> list[Message]:
        """Return the messages of `topic` after `since`, in order; or one reset.

        Call it after `subscribe()`, so that no message is lost between the replay and the
        subscription.
        """
        upstream = await self._connection()
        try:
            found = await upstream.replay([topic, topic.family], since)
        except CannotReplay as error:
            found = [Message(topic, reset=error.reason, cursor=upstream.head())]
        except Exception:
            # After any error it is unknown whether messages were missed.
            logger.exception("cannot replay the messages of %s; it is reset", topic)
            found = [Message(topic, reset=Reset.SERVER, cursor=upstream.head())]
        return [as_told(upstream, topic, message) for message in found]

    def head(self, topics: Iterable[Topic]) -> Cursor | None:
        """Return the cursor up to which subscribers of these topics were given all messages.

        None while it is unknown for one of the topics, as while the backend is away.
        """
        upstream = self._upstream
        if upstream is None:
            return None
        return upstream.narrow(upstream.head(), *topics)

    @property
    def is_connected(self) -> bool:
        """Whether this process receives messages from its backend."""
        return self._upstream is not None

    @property
    def is_away(self) -> bool:
        """Whether the last attempt to reach the backend failed; False before the first."""
        return self._outage.lasts

    def start(self) -> None:
        """Start the listener, unless it runs already."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="realtime-hub")

    def topic_count(self) -> int:
        """Return the number of topics that have subscribers here."""
        return len(self._subscribers.topics())

    def audiences(self) -> list[tuple[Topic, int]]:
        """Return the topics with their numbers of subscribers; from any thread."""
        return self._subscribers.audiences()

    async def close(self) -> None:
        """End the listener, which closes the upstream."""
        await self._lingering.close()
        if self._listener is not None:
            await end(self._listener, again=ENDS_WITHIN)

    async def _unwatch(self, topic: Topic) -> None:
        async with self._transition(topic):
            # Another subscriber may have come while this waited for the lock.
            unwanted = set(self._subscribers.unwanted(topic)) - self._observers.topics()
            if unwanted and self._upstream is not None:
                # A lost upstream watches no topics.
                with suppress(UpstreamLost):
                    await self._upstream.unwatch(unwanted)

    async def _watch(self, topics: Iterable[Topic]) -> Cursor:
        while True:
            upstream = await self._connection()
            try:
                return await upstream.watch(topics)
            except UpstreamLost:
                # The listener gets this error too, and makes the next upstream.
                self._disconnected(upstream)

    async def _connection(self) -> Upstream:
        self.start()
        while self._upstream is None:
            await self._connected.wait()
        return self._upstream

    def _disconnected(self, upstream: Upstream) -> None:
        if self._upstream is upstream:
            self._upstream = None
            self._connected.clear()

    def _transition(self, topic: Topic) -> asyncio.Lock:
        """Return the lock under which the topics of one family are watched and unwatched.

        Without it an unwatch could overtake a later watch, and leave the topic unwatched.
        """
        return self._locks.setdefault(topic.family, asyncio.Lock())

    async def _listen(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._listen_once()
            except (Exception, asyncio.CancelledError) as error:
                # A backend may raise CancelledError by itself: that must not end the listener.
                if _is_cancelled():
                    raise
                counters.lost += self._outage.begin(error)
            if asyncio.get_running_loop().time() - started > LONGEST_PAUSE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _listen_once(self) -> None:
        self._pubsub.serve()
        upstream = self._pubsub.connect()
        try:
            await self._start(upstream)
            await until_one_ends(self._receive(upstream), _sweep(upstream), self._refresh(upstream))
        finally:
            self._disconnected(upstream)
            await upstream.close()

    async def _receive(self, upstream: Upstream) -> None:
        try:
            while True:
                self._fan_out.received(upstream, await upstream.receive())
        finally:
            # At once: its head covers received messages that were not fanned out.
            self._disconnected(upstream)

    async def _refresh(self, upstream: Upstream) -> None:
        """Send new cursors now and then to clients whose topics are idle.

        A client that reconnects with a very old cursor would have to be reset.
        """
        while True:
            await asyncio.sleep(conf.REFRESH * random.uniform(0.5, 1))  # noqa: S311 -- jitter
            self._fan_out.refresh(upstream)

    async def _start(self, upstream: Upstream) -> None:
        """Watch all wanted topics on a new upstream, then reset all subscribers.

        Not on the first upstream: its subscribers wait in `subscribe()` and watch their own topics.
        """
        observed = self._observers.topics()
        reset = self._was_connected
        asked = observed.union(self._subscribers.wanted() if reset else ())
        watched = await upstream.resume(asked, PATIENCE)
        # Subscribers that left meanwhile found no upstream on which to unwatch.
        while surplus := asked.difference(self._subscribers.wanted(), observed):
            await upstream.unwatch(surplus)
            asked -= surplus
        # No await from here on: later subscribers find the new upstream.
        self._upstream = upstream
        self._connected.set()
        self._outage.end()
        self._was_connected = True
        # Also on the first: clients may have connected before this process received messages.
        self._observers.missed()
        if reset:
            head = upstream.head()
            for topic in watched:
                # Without the observers: they have no topics to add, since all are reset.
                self._fan_out.tell(
                    upstream, Message(topic, reset=Reset.BACKEND_RESTART, cursor=head)
                )


async def _sweep(upstream: Upstream) -> None:
    """Check every SWEEP seconds that the upstream works; raise what its check raises."""
    while True:
        await asyncio.sleep(SWEEP)
        await upstream.check()


def _is_cancelled() -> bool:
    """Return True if the running task was asked to cancel."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
