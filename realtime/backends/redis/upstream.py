"""One event loop's connection to all the servers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from redis.exceptions import RedisError

from realtime.backends.base import Upstream
from realtime.backends.inbox import Inbox
from realtime.backends.redis.client import LAYOUT_MAX_AGE
from realtime.backends.redis.codec import NodeEvent, SentMessage
from realtime.backends.redis.config import Config
from realtime.backends.redis.discovery import ask_for_layout
from realtime.backends.redis.keys import Names, partition_of
from realtime.backends.redis.node import Node
from realtime.backends.redis.positions import (
    ServerPosition,
    ServerPositions,
    cursor_for,
    cursor_of,
    positions_of,
)
from realtime.backends.redis.topic_state import TopicState
from realtime.backends.redis.topology import Address, Layout
from realtime.concurrency import end
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

logger = logging.getLogger("realtime.redis")

LAYOUT_RETRY = 0.2
"""Seconds between queries of the layout while a server is in trouble, at least."""


class RedisUpstream(Upstream):
    """Receives from every server through a `Node`. Owner of its state: the event loop that made it.

    Nodes put their events into one inbox. A client's position changes only when an event is taken:
    `_heads` and `_homes` are as of then.
    """

    def __init__(self, config: Config, names: Names) -> None:
        self._config = config
        self._names = names
        self._inbox: Inbox[NodeEvent] = Inbox()
        self._layout: Layout | None = None
        self._nodes: dict[Address, Node] = {}
        self._watched: dict[Topic, TopicState] = {}
        self._at: dict[Topic, Node] = {}
        self._heads: dict[Address, ServerPosition] = {}
        """The position up to which each server's pushes were taken."""
        self._homes: dict[Topic, str] = {}
        """The server that each live topic is received from."""
        self._starting = asyncio.Lock()
        self._trouble = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        """Receive messages of `topics`; the first call finds the servers."""
        wanted = await self._begin(topics)
        stands = {each.topic: self._head_of(each.topic) for each in wanted}
        await self._answers(wanted)
        self._release(wanted)
        return cursor_for({each.topic: stands[each.topic] or each.since for each in wanted})

    async def resume(self, topics: Collection[Topic], patience: float) -> Collection[Topic]:
        """Watch many topics; return those whose servers answer within `patience` seconds."""
        wanted = await self._begin(topics)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._answers(wanted)
        self._inbox.check()
        late = [each for each in wanted if not each.is_answered]
        for watched in late:
            watched.owe_reset()
        self._release(each for each in wanted if each.is_answered)
        return {each.topic for each in wanted}.difference(each.topic for each in late)

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Stop receiving messages of `topics`."""
        for topic in topics:
            self._watched.pop(topic, None)
            self._homes.pop(topic, None)
            if node := self._at.pop(topic, None):
                node.remove(topic)

    async def receive(self) -> Sequence[Message]:
        """Wait for messages of the watched topics."""
        while True:
            taken = [message for event in await self._inbox.take() for message in self._take(event)]
            if taken:
                return taken

    def head(self) -> Cursor:
        """Return the position up to which each server's messages have been taken."""
        return cursor_of(self._heads.values()) if self._heads else NOWHERE

    def narrow(self, cursor: Cursor, *topics: Topic) -> Cursor | None:
        """Return the part of a cursor for the servers that these topics are received from."""
        either = (each for topic in topics for each in (topic, topic.family))
        concerned = [each for each in either if each in self._watched]
        if not all(each in self._homes for each in concerned):
            return None
        positions = positions_of(cursor)
        if positions is None:
            return None
        found = {each: positions.of(each).get(self._homes[each]) for each in concerned}
        if not all(found.values()):
            return None
        return cursor_for(found)

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        """Return the messages behind a cursor, from memory or from the servers."""
        positions = positions_of(since)
        if positions is None:
            raise CannotReplay(Reset.UNKNOWN_CURSOR)
        await self._start()
        by_node: defaultdict[Node, list[Topic]] = defaultdict(list)
        for topic in topics:
            by_node[self._node_of(topic)].append(topic)
        stands: dict[Topic, ServerPosition] = {}
        found: list[tuple[list[Topic], ServerPosition, SentMessage]] = []
        for node, some in by_node.items():
            position, sent = await self._sent_since(node, some, positions)
            stands |= dict.fromkeys(some, position)
            found += [(some, position, each) for each in sent]
        replayed: list[Message] = []
        for some, position, each in found:
            stands |= dict.fromkeys(some, each.behind(position.server))
            replayed.append(replace(each.message, cursor=cursor_for(stands)))
        return replayed

    async def check(self) -> None:
        """Raise UpstreamLost if a node's task, or the task that keeps the layout, has ended."""
        for task in (self._keeper, *(node.task for node in self._nodes.values())):
            if task is not None and task.done():
                error = None if task.cancelled() else task.exception()
                raise UpstreamLost(f"a task ended: {error!r}")

    async def close(self) -> None:
        """Close all connections."""
        self._lose("the upstream was closed")
        if self._keeper is not None:
            await end(self._keeper)
        nodes, self._nodes = self._nodes, {}
        await asyncio.gather(*(node.close() for node in nodes.values()), *self._leaving)

    # -- events that are taken ------------------------------------------------------------------

    def _put(self, event: NodeEvent) -> None:
        if event.position is not None:
            # No event of a server that was just connected waits to be taken.
            self._heads.setdefault(event.address, event.position)
        self._inbox.put([event], max(1, len(event.messages)))
        if self._inbox.is_lost:
            self._wake()

    def _take(self, event: NodeEvent) -> Iterable[Message]:
        for topic in event.left:
            self._homes.pop(topic, None)
        for topic, server in event.joined:
            if topic in self._watched:
                self._homes[topic] = server
        for message, position in event.messages:
            if message.topic in self._watched:
                yield replace(message, cursor=self._cursor(event.address, position))
        if event.position is not None and event.address in self._nodes:
            self._heads[event.address] = event.position

    def _cursor(self, address: Address, position: ServerPosition | None) -> Cursor:
        heads = self._heads if position is None else {**self._heads, address: position}
        return cursor_of(heads.values()) if heads else NOWHERE

    def _head_of(self, topic: Topic) -> ServerPosition | None:
        """Return the position up to which a live topic was taken."""
        node = self._at.get(topic)
        return self._heads.get(node.address) if node and topic in self._homes else None

    # -- watched topics ------------------------------------------------------------------------

    async def _begin(self, topics: Iterable[Topic]) -> list[TopicState]:
        self._inbox.check()
        await self._start()
        return [self._watch(topic) for topic in dict.fromkeys(topics)]

    async def _answers(self, wanted: Sequence[TopicState]) -> None:
        """Wait until the servers have answered for all of these topics."""
        self._inbox.check()
        # While one is waited for, others may have to start over.
        while waiting := [each for each in wanted if not each.is_answered]:
            await waiting[0].wait_for_answer()
            self._inbox.check()

    def _release(self, wanted: Iterable[TopicState]) -> None:
        for watched in wanted:
            if watched.topic in self._at:
                self._at[watched.topic].release([watched])

    def _watch(self, topic: Topic) -> TopicState:
        watched = self._watched.get(topic)
        if watched is None:
            node = self._owner_of(topic)
            since = self._heads.get(node.address) if node else None
            watched = self._watched[topic] = TopicState(topic, since)
            self._place(watched, node)
        return watched

    def _place(self, watched: TopicState, node: Node | None) -> None:
        """Watch a topic on a node; on none until a server holds its partition."""
        if node is not None:
            self._at[watched.topic] = node
            node.add(watched)

    def _owner_of(self, topic: Topic) -> Node | None:
        assert self._layout is not None
        owner = self._layout.owners[partition_of(topic)]
        return self._nodes.get(owner) if owner is not None else None

    def _node_of(self, topic: Topic) -> Node:
        node = self._at.get(topic) or self._owner_of(topic)
        if node is None:
            raise CannotReplay(Reset.BACKEND_RESTART)
        return node

    async def _sent_since(
        self, node: Node, topics: Sequence[Topic], positions: ServerPositions
    ) -> tuple[ServerPosition, list[SentMessage]]:
        """Return messages of one server's topics, up to a position where all of them are known.

        Return also the position they start at: the oldest of the topics' positions, if these
        differ.
        """
        try:
            server = (await node.find()).server
            known = [positions.of(topic).get(server) for topic in topics]
            if not all(known):
                raise CannotReplay(Reset.BACKEND_RESTART)
            position = min((each for each in known if each), key=lambda each: each.commands)
            answers = await node.since(topics, position)
        except (RedisError, OSError, TimeoutError, UpstreamLost) as error:
            logger.info("cannot ask for the messages of %s: %s", topics[0], error)
            raise CannotReplay(Reset.BACKEND_RESTART) from error
        for answer in answers:
            if answer.reason:
                raise CannotReplay(answer.reason)
        # A message between two replies is received: a replay is for topics that are watched.
        end = min((answer.position for answer in answers), key=lambda each: each.commands)
        sent = [each for answer in answers for each in answer.sent]
        sent.sort(key=lambda each: each.commands)
        return position, [each for each in sent if each.commands < end.commands]

    # -- the owners of partitions --------------------------------------------------------------

    async def _start(self) -> None:
        async with self._starting:
            if self._keeper is None:
                try:
                    layout = await ask_for_layout(self._config, self._known())
                except (RedisError, OSError, TimeoutError) as error:
                    self._lose(f"cannot connect: {error}")
                    raise UpstreamLost(f"cannot connect: {error}") from error
                self._inbox.check()  # if it was closed meanwhile, the task below would never end
                self._apply(layout)
                self._keeper = asyncio.create_task(self._keep(), name="realtime-redis-layout")
                self._keeper.add_done_callback(self._note_end)

    async def _keep(self) -> None:
        """Keep the layout current: query it at intervals, and soon when a server is in trouble."""
        while True:
            try:
                async with asyncio.timeout(LAYOUT_MAX_AGE):
                    await self._trouble.wait()
            except TimeoutError:
                pass
            self._trouble.clear()
            try:
                self._apply(await ask_for_layout(self._config, self._known()))
            except (RedisError, OSError, TimeoutError) as error:
                logger.debug("no server reports the layout: %s", error)
            await asyncio.sleep(LAYOUT_RETRY * random.uniform(0.5, 1))  # noqa: S311 -- jitter

    def _known(self) -> Iterable[Address]:
        return self._layout.addresses if self._layout else ()

    def _apply(self, layout: Layout) -> None:
        self._layout = layout
        for address in layout.addresses:
            node = self._nodes.get(address) or self._found(address)
            node.partitions = frozenset(layout.partitions_of(address))
        for topic, watched in self._watched.items():
            owner, old = self._owner_of(topic), self._at.get(topic)
            if owner is not old:
                if old is not None:
                    old.remove(topic)
                    del self._at[topic]
                    # Its messages that wait in the inbox are still the old node's. Later positions
                    # of the old node are not valid for it.
                    self._put(NodeEvent(old.address, left=[topic]))
                    watched.start_over(watched.since)
                self._place(watched, owner)
        for address in self._nodes.keys() - layout.addresses:
            self._heads.pop(address, None)
            task = asyncio.create_task(self._nodes.pop(address).close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _found(self, address: Address) -> Node:
        node = Node(address, self._config, self._names, self._put, self._trouble.set)
        node.task.add_done_callback(self._note_end)
        self._nodes[address] = node
        return node

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("receiving from redis failed", exc_info=error)
            self._lose(f"{task.get_name()} failed: {error!r}")

    def _lose(self, why: str) -> None:
        self._inbox.lose(why)
        self._wake()

    def _wake(self) -> None:
        """Wake the tasks that wait for a reply, so that they see that none will arrive."""
        for watched in self._watched.values():
            watched.wake()
