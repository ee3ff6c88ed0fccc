"""One server of those that hold partitions: its connections, and what is watched there."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence

from redis.exceptions import RedisError, ResponseError

from realtime.backends.outage import Outage
from realtime.backends.redis.codec import Answer, Heard, Sent, read_answer, read_push
from realtime.backends.redis.commands import Line
from realtime.backends.redis.config import Config
from realtime.backends.redis.keys import Names, by_partition
from realtime.backends.redis.listener import Deaf, Ear
from realtime.backends.redis.positions import Mark
from realtime.backends.redis.scripts import SINCE, begin
from realtime.backends.redis.sweep import Look, now
from realtime.backends.redis.topic_state import Gap, Kept, Watched
from realtime.backends.redis.topology import Address
from realtime.concurrency import Backoff, end, until_one_ends
from realtime.exceptions import UpstreamLost
from realtime.messages.message import Message
from realtime.messages.topics import Topic

logger = logging.getLogger("realtime.redis")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between attempts at a server that is away: see Backoff."""

LIVED = 1.0
"""Seconds behind which a connection that ends is no failed attempt."""

SWEEP = 2.0
"""Seconds between looks at whether all that was pushed has arrived."""

MOST_TOLD = 1_000
"""Messages of one topic that are replayed. Of more, a reset."""

ENDLESS = (1 << 52, 1 << 52)
"""Commands and time behind all that was heard."""

TROUBLE = (RedisError, OSError, TimeoutError, Gap, UpstreamLost)
"""What ends a connection, so that another is made."""


class Node:
    """Listens to a server and keeps it true. Owner of its state: the event loop.

    One task lives as long as the node. It connects, and while it is connected three others listen,
    subscribe and sweep; whatever one of them meets ends all, and it connects again. Then every
    topic is subscribed and asked for anew, from where all was heard for sure.
    """

    def __init__(
        self,
        address: Address,
        config: Config,
        names: Names,
        tell: Callable[[Heard], None],
        on_trouble: Callable[[], None],
    ) -> None:
        self.address = address
        self.partitions: frozenset[int] = frozenset()
        self._config = config
        self._names = names
        self._tell = tell
        self._on_trouble = on_trouble
        self._topics: dict[Topic, Watched] = {}
        self._wanted = asyncio.Event()
        self._connected = asyncio.Event()
        self._line: Line | None = None
        self._mark: Mark | None = None
        """Up to here all was heard for sure, of all topics that are live."""
        self._in_step = False
        """Are all topics that were live before the connection broke live again?"""
        self._refused: set[Topic] = set()
        """Of these nothing was said a moment ago."""
        self._kept = Kept()
        self._look = Look(names, on_trouble)
        self._outage = Outage(
            logger,
            away=f"redis at {address} is away, connecting again",
            back=f"redis at {address} answers again",
            level=logging.WARNING,
        )
        self._task = asyncio.create_task(self._run(), name=f"realtime-redis-{address}")

    @property
    def task(self) -> asyncio.Task[None]:
        """What ends only when the node is closed, or by a bug."""
        return self._task

    def add(self, watched: Watched) -> None:
        """Watch a topic here."""
        self._topics[watched.topic] = watched
        self._wanted.set()

    def remove(self, topic: Topic) -> None:
        """Watch it here no more."""
        if self._topics.pop(topic, None) is not None:
            self._wanted.set()

    async def close(self) -> None:
        """End, and hang up."""
        await end(self._task, again=3.0)

    async def find(self) -> Mark:
        """Wait until the server was found; return where. Raise TimeoutError if it is away."""
        async with asyncio.timeout(self._config.timeout):
            await self._connected.wait()
        assert self._mark is not None
        return self._mark

    async def since(self, topics: Sequence[Topic], mark: Mark) -> list[Answer]:
        """Return what each topic was sent since a position; raise what came.

        From this process's memory if it goes back so far for all of them.
        """
        known = [self._recent(topic, mark) for topic in topics]
        if all(answer is not None for answer in known):
            return [answer for answer in known if answer is not None]
        if self._line is None:
            raise UpstreamLost(f"{self.address} is away")
        asking = asyncio.create_task(self._line.ask([self._since(topic, mark) for topic in topics]))
        # Whoever asks may go away meanwhile: the line is everybody's.
        asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        replies = await asyncio.shield(asking)
        return [read_answer(*pair) for pair in zip(topics, replies, strict=True)]

    def _recent(self, topic: Topic, mark: Mark) -> Answer | None:
        watched = self._topics.get(topic)
        sent = watched.recent(mark) if watched is not None and self._in_step else None
        if sent is None or watched is None:
            return None
        return Answer(Mark(mark.server, *ENDLESS), watched.newest, "", sent)

    def release(self, some: Iterable[Watched]) -> None:
        """Let those of the topics be live that are not yet; all have been answered."""
        messages: list[tuple[Message, Mark | None]] = []
        joined = []
        for watched in some:
            if not watched.is_live:
                messages += self._release(watched)
                assert self._mark is not None
                joined.append((watched.topic, self._mark.server))
        if joined:
            self._tell(Heard(self.address, messages, joined))

    def _release(self, watched: Watched) -> list[tuple[Message, Mark | None]]:
        reason, sent = watched.release()
        reset = [(Message(watched.topic, reset=reason), self._mark)] if reason else []
        self._kept.add(watched, sent)
        return [*reset, *((each.message, self._behind(each)) for each in sent)]

    # -- the life of the connections -----------------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._live()
            except TROUBLE as error:
                self._outage.begin(error)
            if loop.time() - started > LIVED:
                backoff.reset()
            self._on_trouble()
            await asyncio.sleep(backoff.next())

    async def _live(self) -> None:
        timeout = self._config.timeout
        line = Line(self._config.connection(self.address), timeout)
        ear = Ear(self._config.connection(self.address), timeout)
        try:
            await line.open()
            await ear.open()
            # One whose slot moves right now begins when a topic of it is asked for.
            beginnings = [begin(self._names, number) for number in sorted(self.partitions)]
            await line.ask(beginnings, may_fail=True)
            mark = await now(line)
            self._begin_anew(mark)
            self._line = line
            self._connected.set()
            await until_one_ends(
                self._listen(ear), self._join(ear, line, mark), self._sweep(ear, line)
            )
        finally:
            self._line = None
            self._connected.clear()
            await line.close()
            await ear.close()

    def _begin_anew(self, mark: Mark) -> None:
        since = self._mark
        self._mark = self._mark or mark
        self._in_step = False
        self._kept.clear()
        self._look.forget()
        for watched in self._topics.values():
            watched.begin_anew(since)
        self._wanted.set()

    # -- listening -----------------------------------------------------------------------------

    async def _listen(self, ear: Ear) -> None:
        async for channel, data in ear.hear():
            # A topic is text, and found by it.
            if watched := self._topics.get(self._names.topic_in(channel)):  # type: ignore[call-overload]
                self._hear(watched, data)

    def _hear(self, watched: Watched, data: bytes) -> None:
        try:
            sent = read_push(watched.topic, data)
        except ValueError as error:
            # Nobody who publishes as agreed sends this.
            logger.warning("not a message, pushed to %s: %s", watched.topic, error)
            return
        if watched.hear(sent):
            behind = self._behind(sent)
            self._kept.add(watched, [sent])
            self._tell(
                Heard(
                    self.address, [(sent.message, behind)], mark=behind if self._in_step else None
                )
            )

    def _behind(self, sent: Sent) -> Mark:
        assert self._mark is not None
        return sent.behind(self._mark.server)

    # -- subscribing ---------------------------------------------------------------------------

    async def _join(self, ear: Ear, line: Line, mark: Mark) -> None:
        """Subscribe and ask for topics as they are added; first for all there are."""
        subscribed: set[Topic] = set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            gone = subscribed - self._topics.keys()
            await self._unsubscribe(ear, gone)
            subscribed -= gone
            new = [
                topic
                for topic, each in self._topics.items()
                if not each.is_answered and topic not in self._refused
            ]
            await self._subscribe(ear, [topic for topic in new if topic not in subscribed])
            subscribed.update(new)
            await self._ask(line, new, mark)
            if not self._in_step:
                self._come_into_step(mark)
            self._release_returned()

    async def _subscribe(self, ear: Ear, topics: Iterable[Topic]) -> None:
        for some in by_partition(topics).values():
            await ear.subscribe(self._names.log(topic) for topic in some)

    async def _unsubscribe(self, ear: Ear, topics: Iterable[Topic]) -> None:
        for some in by_partition(topics).values():
            await ear.unsubscribe(self._names.log(topic) for topic in some)

    async def _ask(self, line: Line, topics: Sequence[Topic], mark: Mark) -> None:
        asked = [self._topics[topic] for topic in topics if topic in self._topics]
        for watched in asked:
            watched.since = watched.since or mark
        generations = [watched.generation for watched in asked]
        commands = [self._since(w.topic, w.since or mark) for w in asked]
        replies = await line.ask(commands, may_fail=True)
        for watched, generation, reply in zip(asked, generations, replies, strict=True):
            if self._topics.get(watched.topic) is not watched or watched.generation != generation:
                continue  # it is another node's meanwhile
            if isinstance(reply, ResponseError):
                self._ask_later(watched.topic, reply)
            else:
                watched.answer(read_answer(watched.topic, reply))

    def _ask_later(self, topic: Topic, error: ResponseError) -> None:
        """Ask for a topic again: while its slot moves nobody answers, and others need not wait."""
        logger.info("redis at %s says nothing of %s yet: %s", self.address, topic, error)
        if not self._refused:
            asyncio.get_running_loop().call_later(LONGEST_PAUSE, self._ask_again)
            self._on_trouble()
        self._refused.add(topic)

    def _ask_again(self) -> None:
        self._refused.clear()
        self._wanted.set()

    def _come_into_step(self, mark: Mark) -> None:
        """Let all that was live before be live again, and say where the server stands now."""
        self._mark = mark
        self._release_returned()
        left = [topic for topic, each in self._topics.items() if each.was_live]
        self._tell(Heard(self.address, left=left))
        self._in_step = True
        self._tell(Heard(self.address, mark=mark))
        self._outage.end()

    def _release_returned(self) -> None:
        """Release what nobody waits for, since it was live before."""
        returned = [each for each in self._topics.values() if each.was_live]
        self.release(each for each in returned if each.is_answered)

    def _since(self, topic: Topic, since: Mark) -> tuple[object, ...]:
        return SINCE.call(self._names.keys(topic), topic, *since, MOST_TOLD)

    # -- sweeping ------------------------------------------------------------------------------

    async def _sweep(self, ear: Ear, line: Line) -> None:
        """Look now and then whether all that was pushed has arrived, so that a loss is noticed."""
        while True:
            await asyncio.sleep(SWEEP * random.uniform(0.7, 1))  # noqa: S311 -- jitter
            mark = await now(line)
            if self._in_step and self._mark and mark.server != self._mark.server:
                raise Deaf("the server is another")
            newest = await self._look.newest(line, mark, self._topics.values())
            # What was pushed before that look has been heard once this returns.
            await ear.catch_up()
            for topic, number in newest.items():
                watched = self._topics.get(topic)
                if watched is not None and watched.is_live and watched.newest < number:
                    raise Gap(f"message {number} to {topic} did not arrive")
            if self._in_step:
                self._mark = mark
                self._tell(Heard(self.address, mark=mark))
