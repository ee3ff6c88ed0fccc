"""One server that holds partitions: its connections, and its watched topics."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence

from redis.exceptions import RedisError, ResponseError

from realtime.backends.outage import Outage
from realtime.backends.redis.codec import NodeEvent, SentMessage, SinceReply, read_push, read_since
from realtime.backends.redis.commands import CommandConnection
from realtime.backends.redis.config import Config
from realtime.backends.redis.keys import Names, by_partition
from realtime.backends.redis.listener import Listener, ListenerBroken
from realtime.backends.redis.positions import ServerPosition
from realtime.backends.redis.scripts import SINCE, begin
from realtime.backends.redis.sweep import PartitionSweep, now
from realtime.backends.redis.topic_state import Gap, MemoryBudget, TopicState
from realtime.backends.redis.topology import Address
from realtime.concurrency import Backoff, end, until_one_ends
from realtime.exceptions import UpstreamLost
from realtime.messages.message import Message
from realtime.messages.topics import Topic

logger = logging.getLogger("realtime.redis")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between attempts to connect to a server that is away: see Backoff."""

LIVED = 1.0
"""Seconds after which a connection that ends does not count as a failed attempt."""

SWEEP_INTERVAL = 2.0
"""Seconds between checks that all pushes have arrived."""

MOST_REPLAYED_OF_TOPIC = 1_000
"""Messages of one topic that a replay returns at most; for more, the topic is reset."""

ENDLESS = (1 << 52, 1 << 52)
"""Commands and time that are behind every message received."""

TROUBLE = (RedisError, OSError, TimeoutError, Gap, UpstreamLost)
"""The errors that end a connection, so that another is made."""


class Node:
    """Receives one server's messages, and replays missed ones. Owner of its state: the event loop.

    One task lives as long as the node. It connects; while it is connected, three other tasks
    listen, subscribe and sweep. An error in one of them ends all three, and the node connects
    again. Then it subscribes to every topic again, and asks for each topic's messages since the
    position up to which all were certainly received.
    """

    def __init__(
        self,
        address: Address,
        config: Config,
        names: Names,
        emit: Callable[[NodeEvent], None],
        on_trouble: Callable[[], None],
    ) -> None:
        self.address = address
        self.partitions: frozenset[int] = frozenset()
        self._config = config
        self._names = names
        self._emit = emit
        self._on_trouble = on_trouble
        self._topics: dict[Topic, TopicState] = {}
        self._wanted = asyncio.Event()
        self._connected = asyncio.Event()
        self._command_connection: CommandConnection | None = None
        self._position: ServerPosition | None = None
        """The position up to which all messages of all live topics were certainly received."""
        self._caught_up = False
        """True once all topics that were live before the connection broke are live again."""
        self._refused: set[Topic] = set()
        """The topics for which the server has just refused to answer."""
        self._memory_budget = MemoryBudget()
        self._partition_sweep = PartitionSweep(names, on_trouble)
        self._outage = Outage(
            logger,
            away=f"redis at {address} is away, connecting again",
            back=f"redis at {address} answers again",
            level=logging.WARNING,
        )
        self._task = asyncio.create_task(self._run(), name=f"realtime-redis-{address}")

    @property
    def task(self) -> asyncio.Task[None]:
        """The node's task. It ends only when the node is closed, or by a bug."""
        return self._task

    def add(self, watched: TopicState) -> None:
        """Watch a topic on this server."""
        self._topics[watched.topic] = watched
        self._wanted.set()

    def remove(self, topic: Topic) -> None:
        """Stop watching a topic on this server."""
        if self._topics.pop(topic, None) is not None:
            self._wanted.set()

    async def close(self) -> None:
        """End the task, and close the connections."""
        await end(self._task, again=3.0)

    async def find(self) -> ServerPosition:
        """Wait until the server is connected; return its position.

        Raise TimeoutError if it is away.
        """
        async with asyncio.timeout(self._config.timeout):
            await self._connected.wait()
        assert self._position is not None
        return self._position

    async def since(self, topics: Sequence[Topic], position: ServerPosition) -> list[SinceReply]:
        """Return the messages of each topic since a position; raise the server's error.

        They come from this process's memory if it goes back so far for all of the topics.
        """
        known = [self._recent(topic, position) for topic in topics]
        if all(answer is not None for answer in known):
            return [answer for answer in known if answer is not None]
        if self._command_connection is None:
            raise UpstreamLost(f"{self.address} is away")
        asking = asyncio.create_task(
            self._command_connection.ask([self._since(topic, position) for topic in topics])
        )
        # Shielded: the caller may be cancelled meanwhile, and other callers share the connection.
        asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        replies = await asyncio.shield(asking)
        return [read_since(*pair) for pair in zip(topics, replies, strict=True)]

    def _recent(self, topic: Topic, position: ServerPosition) -> SinceReply | None:
        watched = self._topics.get(topic)
        sent = watched.recent(position) if watched is not None and self._caught_up else None
        if sent is None or watched is None:
            return None
        return SinceReply(ServerPosition(position.server, *ENDLESS), watched.newest, "", sent)

    def release(self, some: Iterable[TopicState]) -> None:
        """Make those of the topics live that are not yet; all of them have a reply."""
        messages: list[tuple[Message, ServerPosition | None]] = []
        joined = []
        for watched in some:
            if not watched.is_live:
                messages += self._release(watched)
                assert self._position is not None
                joined.append((watched.topic, self._position.server))
        if joined:
            self._emit(NodeEvent(self.address, messages, joined))

    def _release(self, watched: TopicState) -> list[tuple[Message, ServerPosition | None]]:
        reason, sent = watched.release()
        reset = [(Message(watched.topic, reset=reason), self._position)] if reason else []
        self._memory_budget.add(watched, sent)
        return [*reset, *((each.message, self._behind(each)) for each in sent)]

    # -- the life of the connections -----------------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._stay_connected()
            except TROUBLE as error:
                self._outage.begin(error)
            if loop.time() - started > LIVED:
                backoff.reset()
            self._on_trouble()
            await asyncio.sleep(backoff.next())

    async def _stay_connected(self) -> None:
        timeout = self._config.timeout
        connection = CommandConnection(self._config.connection(self.address), timeout)
        listener = Listener(self._config.connection(self.address), timeout)
        try:
            await connection.open()
            await listener.open()
            # A partition whose slot moves right now begins when one of its topics is asked for.
            beginnings = [begin(self._names, number) for number in sorted(self.partitions)]
            await connection.ask(beginnings, may_fail=True)
            position = await now(connection)
            self._start_over(position)
            self._command_connection = connection
            self._connected.set()
            await until_one_ends(
                self._listen(listener),
                self._join(listener, connection, position),
                self._sweep(listener, connection),
            )
        finally:
            self._command_connection = None
            self._connected.clear()
            await connection.close()
            await listener.close()

    def _start_over(self, position: ServerPosition) -> None:
        since = self._position
        self._position = self._position or position
        self._caught_up = False
        self._memory_budget.clear()
        self._partition_sweep.forget()
        for watched in self._topics.values():
            watched.start_over(since)
        self._wanted.set()

    # -- listening -----------------------------------------------------------------------------

    async def _listen(self, listener: Listener) -> None:
        async for channel, data in listener.pushes():
            # A topic is a str: the text finds it.
            if watched := self._topics.get(self._names.topic_in(channel)):  # type: ignore[call-overload]
                self._receive_push(watched, data)

    def _receive_push(self, watched: TopicState, data: bytes) -> None:
        try:
            sent = read_push(watched.topic, data)
        except ValueError as error:
            # No program that keeps the contract sends this.
            logger.warning("a push to %s is not a message: %s", watched.topic, error)
            return
        if watched.receive(sent):
            behind = self._behind(sent)
            self._memory_budget.add(watched, [sent])
            self._emit(
                NodeEvent(
                    self.address,
                    [(sent.message, behind)],
                    position=behind if self._caught_up else None,
                )
            )

    def _behind(self, sent: SentMessage) -> ServerPosition:
        assert self._position is not None
        return sent.behind(self._position.server)

    # -- subscribing ---------------------------------------------------------------------------

    async def _join(
        self, listener: Listener, connection: CommandConnection, position: ServerPosition
    ) -> None:
        """Subscribe to topics and ask for their messages: first for all, then for each new one."""
        subscribed: set[Topic] = set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            gone = subscribed - self._topics.keys()
            await self._unsubscribe(listener, gone)
            subscribed -= gone
            new = [
                topic
                for topic, each in self._topics.items()
                if not each.is_answered and topic not in self._refused
            ]
            await self._subscribe(listener, [topic for topic in new if topic not in subscribed])
            subscribed.update(new)
            await self._ask(connection, new, position)
            if not self._caught_up:
                self._finish_catching_up(position)
            self._release_returned()

    async def _subscribe(self, listener: Listener, topics: Iterable[Topic]) -> None:
        for some in by_partition(topics).values():
            await listener.subscribe(self._names.log(topic) for topic in some)

    async def _unsubscribe(self, listener: Listener, topics: Iterable[Topic]) -> None:
        for some in by_partition(topics).values():
            await listener.unsubscribe(self._names.log(topic) for topic in some)

    async def _ask(
        self, connection: CommandConnection, topics: Sequence[Topic], position: ServerPosition
    ) -> None:
        asked = [self._topics[topic] for topic in topics if topic in self._topics]
        for watched in asked:
            watched.since = watched.since or position
        generations = [watched.generation for watched in asked]
        commands = [self._since(w.topic, w.since or position) for w in asked]
        replies = await connection.ask(commands, may_fail=True)
        for watched, generation, reply in zip(asked, generations, replies, strict=True):
            if self._topics.get(watched.topic) is not watched or watched.generation != generation:
                continue  # it is another node's meanwhile
            if isinstance(reply, ResponseError):
                self._ask_later(watched.topic, reply)
            else:
                watched.answer(read_since(watched.topic, reply))

    def _ask_later(self, topic: Topic, error: ResponseError) -> None:
        """Ask for a topic again later.

        While its slot moves no server answers; other topics go on.
        """
        logger.info("redis at %s does not answer for %s yet: %s", self.address, topic, error)
        if not self._refused:
            asyncio.get_running_loop().call_later(LONGEST_PAUSE, self._ask_again)
            self._on_trouble()
        self._refused.add(topic)

    def _ask_again(self) -> None:
        self._refused.clear()
        self._wanted.set()

    def _finish_catching_up(self, position: ServerPosition) -> None:
        """Make all topics live that were live before, and report the server's position now."""
        self._position = position
        self._release_returned()
        left = [topic for topic, each in self._topics.items() if each.was_live]
        self._emit(NodeEvent(self.address, left=left))
        self._caught_up = True
        self._emit(NodeEvent(self.address, position=position))
        self._outage.end()

    def _release_returned(self) -> None:
        """Release the topics that were live before: no `watch()` waits for them."""
        returned = [each for each in self._topics.values() if each.was_live]
        self.release(each for each in returned if each.is_answered)

    def _since(self, topic: Topic, since: ServerPosition) -> tuple[object, ...]:
        return SINCE.call(self._names.keys(topic), topic, *since, MOST_REPLAYED_OF_TOPIC)

    # -- sweeping ------------------------------------------------------------------------------

    async def _sweep(self, listener: Listener, connection: CommandConnection) -> None:
        """Check every SWEEP_INTERVAL seconds that all pushes have arrived, to notice a loss."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL * random.uniform(0.7, 1))  # noqa: S311 -- jitter
            position = await now(connection)
            if self._caught_up and self._position and position.server != self._position.server:
                raise ListenerBroken("another server answers at the address")
            newest = await self._partition_sweep.newest(connection, position, self._topics.values())
            # Every message pushed before that check has been received once this returns.
            await listener.catch_up()
            for topic, number in newest.items():
                watched = self._topics.get(topic)
                if watched is not None and watched.is_live and watched.newest < number:
                    raise Gap(f"message {number} to {topic} did not arrive")
            if self._caught_up:
                self._position = position
                self._emit(NodeEvent(self.address, position=position))
