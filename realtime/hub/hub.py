"""The hub: one an event loop, between the backend and the connections.

It watches a topic upstream once, however many clients do, and fans out. A client that watches
`list:5` hears `list:` too, under the topic that it subscribed to.
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
"""Seconds between attempts to reach a backend that is away: see Backoff."""

PATIENCE = 1.0
"""Seconds that a part of a backend has to answer. Who needs what it holds waits on, alone."""

ENDS_WITHIN = 15.0
"""Seconds that an upstream may take to close."""

SWEEP = 3.0
"""Seconds between looks at whether the upstream is well."""


class Hub:
    """Fans messages out to mailboxes. Owner of all its state: one event loop.

    One task listens and is the only one that makes or drops the upstream. When an upstream is
    lost, or whatever else that task does beside it fails, every subscriber is reset once the next
    one watches all that is wanted: a client may be told late, and is never left believing what may
    be untrue.
    """

    def __init__(self, pubsub: PubSub, observers: Sequence[Observer] = ()) -> None:
        """Make one that listens to `pubsub`; `observers` are its own, beside those registered."""
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
        """Has there been an upstream? Whoever was told by it is reset by its successor."""
        self._locks: WeakValueDictionary[Topic, asyncio.Lock] = WeakValueDictionary()
        self._lingering = DelayedUnwatch(self._unwatch)

    async def subscribe(self, sink: Sink, topic: Topic) -> Cursor:
        """Put `topic`'s messages into `sink` from here on; return once the backend confirmed.

        The cursor returned is one from which nothing of the topic is missed. While the backend is
        away this waits. Cancelled, it leaves nothing behind.
        """
        self._subscribers.add(topic, sink)
        try:
            # Not with the lock in hand: while the backend is away others must be able to leave.
            await self._connection()
            async with self._transition(topic):
                return await self._watch([topic, topic.family])
        except BaseException:
            await self.unsubscribe(sink, topic)
            raise

    async def unsubscribe(self, sink: Sink, *topics: Topic) -> None:
        """Put no more of `topics` into `sink`; stop watching what nobody wants any longer.

        After a while: a page that is reloaded leaves, and wants the same a moment later.
        """
        await self.unwatch(self.leave(sink, *topics))

    def leave(self, sink: Sink, *topics: Topic) -> list[Topic]:
        """Put no more of `topics` into `sink`; return what is to be given to `unwatch()` now.

        Nothing is awaited here: a task that dies leaves none behind.
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
        """Stop watching what nobody wants any longer."""
        for topic in topics:
            await self._unwatch(topic)

    async def replay(self, topic: Topic, since: Cursor) -> list[Message]:
        """Return what `topic` was told after `since`, in order: nothing, messages, or a reset.

        For one who is subscribed already, so that nothing falls between this and what follows.
        """
        upstream = await self._connection()
        try:
            found = await upstream.replay([topic, topic.family], since)
        except CannotReplay as error:
            found = [Message(topic, reset=error.reason, cursor=upstream.head())]
        except Exception:
            # Whatever it was, nothing is proven.
            logger.exception("cannot look for what %s may have missed; it is reset", topic)
            found = [Message(topic, reset=Reset.SERVER, cursor=upstream.head())]
        return [as_told(upstream, topic, message) for message in found]

    def head(self, topics: Iterable[Topic]) -> Cursor | None:
        """Return the position behind all that subscribers of all these topics were given.

        None while that is not known of one of them: while the backend is away, most of all.
        """
        upstream = self._upstream
        if upstream is None:
            return None
        return upstream.narrow(upstream.head(), *topics)

    @property
    def is_connected(self) -> bool:
        """Does this process hear its backend?"""
        return self._upstream is not None

    @property
    def is_away(self) -> bool:
        """Is it known that the backend cannot be reached? While it was not tried yet it is not."""
        return self._outage.lasts

    def start(self) -> None:
        """Begin to listen, if that was not begun yet, or has ended."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="realtime-hub")

    def topic_count(self) -> int:
        """Return how many topics are watched by those who are connected here."""
        return len(self._subscribers.topics())

    def audiences(self) -> list[tuple[Topic, int]]:
        """Return the topics that are watched here, and by how many; in any thread."""
        return self._subscribers.audiences()

    async def close(self) -> None:
        """Stop listening and let the backend go."""
        await self._lingering.close()
        if self._listener is not None:
            await end(self._listener, again=ENDS_WITHIN)

    async def _unwatch(self, topic: Topic) -> None:
        async with self._transition(topic):
            # Somebody else may have come while this waited for its turn.
            unwanted = set(self._subscribers.unwanted(topic)) - self._observers.topics()
            if unwanted and self._upstream is not None:
                # From a dead one there is nothing to take back.
                with suppress(UpstreamLost):
                    await self._upstream.unwatch(unwanted)

    async def _watch(self, topics: Iterable[Topic]) -> Cursor:
        while True:
            upstream = await self._connection()
            try:
                return await upstream.watch(topics)
            except UpstreamLost:
                # The listener hears of it too, and makes the next one.
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

        A watch and an unwatch of one topic that overtook each other would leave it unwatched.
        """
        return self._locks.setdefault(topic.family, asyncio.Lock())

    async def _listen(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._listen_once()
            except (Exception, asyncio.CancelledError) as error:
                # A backend that raises this by itself must not end the listening unnoticed.
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
            # At once: its head is behind what was received, and some of that was not fanned out.
            self._disconnected(upstream)

    async def _refresh(self, upstream: Upstream) -> None:
        """Let clients whose topics are idle know now and then how far they have been told.

        Whoever comes back with a cursor from long ago could not be told what it missed.
        """
        while True:
            await asyncio.sleep(conf.REFRESH * random.uniform(0.5, 1))  # noqa: S311 -- jitter
            self._fan_out.refresh(upstream)

    async def _start(self, upstream: Upstream) -> None:
        """Watch all that is wanted on a new upstream, then tell everybody to reload.

        At first nobody is there to be told: those who come wait for what they want themselves.
        """
        observed = self._observers.topics()
        reset = self._was_connected
        asked = observed.union(self._subscribers.wanted() if reset else ())
        watched = await upstream.resume(asked, PATIENCE)
        # Whoever left meanwhile found no upstream to tell.
        while surplus := asked.difference(self._subscribers.wanted(), observed):
            await upstream.unwatch(surplus)
            asked -= surplus
        # From here on nothing is awaited: whoever subscribes after this finds the new upstream.
        self._upstream = upstream
        self._connected.set()
        self._outage.end()
        self._was_connected = True
        # Also at first: clients may have been let in before this process heard of anything.
        self._observers.missed()
        if reset:
            head = upstream.head()
            for topic in watched:
                # Observers would have no topics to add: everybody is reset.
                self._fan_out.tell(
                    upstream, Message(topic, reset=Reset.BACKEND_RESTART, cursor=head)
                )


async def _sweep(upstream: Upstream) -> None:
    """Ask now and then whether messages still arrive."""
    while True:
        await asyncio.sleep(SWEEP)
        await upstream.check()


def _is_cancelled() -> bool:
    """Has somebody asked the running task to end?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
