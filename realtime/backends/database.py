"""Messages in the project's own database, stored in the writer's transaction.

The default: no further service, any number of processes. A message is a row, inserted in the
transaction that it tells of, so it exists if and only if the change does. Receivers look for
news every `interval` seconds and read the rows behind their position. A commit in the receiver's
own process wakes it at once.

What stands behind a position depends on the database. SQLite has one writer at a time, so ids are
in the order of the commits, and `PRAGMA data_version` tells in microseconds that nothing happened.
On PostgreSQL a position is a snapshot, and a look one query. Others are refused by the check
`realtime.E003`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from django.core.checks import CheckMessage, Error
from django.db import connections

from realtime.backends import records
from realtime.backends.base import PubSub, Upstream, nothing_to_do
from realtime.backends.database_reader import Reader, wake_readers
from realtime.backends.inbox import Inbox
from realtime.blocking import off_loop
from realtime.cursors import Cursor
from realtime.messages import Message
from realtime.topics import Topic


class DatabasePubSub(PubSub):
    """Carry messages through the database `alias`.

    `interval` is how often, in seconds, a process looks for what others have committed;
    `retention` how long, in seconds, a record is kept after it was first seen.
    """

    def __init__(
        self,
        alias: str = "default",
        interval: float = 0.05,
        retention: float = 3600.0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        for name, value in (("interval", interval), ("retention", retention)):
            if not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"expected {name} in seconds, above 0, got {value!r}")
        self.alias = alias
        self.interval = interval
        self.retention = retention

    def check(self) -> list[CheckMessage]:
        """Refuse databases on which this backend would miss messages."""
        if self.alias not in connections:
            hint = f"Name one of {sorted(connections)} in REALTIME['PUBSUB']['OPTIONS']['alias']."
            return [Error(f"There is no database {self.alias!r}.", hint=hint, id="realtime.E004")]
        vendor = connections[self.alias].vendor
        if vendor not in records.VENDORS:
            hint = "Keep messages on SQLite or PostgreSQL, or use MemoryPubSub."
            what = f"DatabasePubSub does not support {vendor}: it would miss messages."
            return [Error(what, hint=hint, id="realtime.E003")]
        return []

    def stores_on(self, using: str) -> bool:
        """Messages are stored in the transactions of their own database alone."""
        return using == self.alias

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Store the messages with the writer's transaction; commit sends them."""
        if not messages:
            return nothing_to_do
        if not self.stores_on(using):
            return lambda: self._send(messages)
        records.write(messages, using)
        return lambda: wake_readers(self.alias)

    def position(self) -> Cursor:
        """Return the position of now, in the snapshot that the caller reads in."""
        return records.head(self.alias)

    def connect(self) -> Upstream:
        """Start a thread that reads this database for the running event loop."""
        return _DatabaseUpstream(self)

    def _send(self, messages: Sequence[Message]) -> None:
        """Store messages of a transaction that committed on another database."""
        records.write(messages, self.alias)
        wake_readers(self.alias)


class _DatabaseUpstream(Upstream):
    """Listens through a `Reader`. Owner of its state: the event loop it was made on.

    The reader's thread hands over whole batches with the position behind them, and the choice of
    what is watched is made here, so that `watch()` cannot fall between reading and choosing.
    """

    def __init__(self, pubsub: DatabasePubSub) -> None:
        self._pubsub = pubsub
        self._inbox = Inbox()
        self._watched: set[Topic] = set()
        self._position: Cursor | None = None
        self._starting = asyncio.Lock()
        self._reader = Reader(
            pubsub.alias,
            interval=pubsub.interval,
            retention=pubsub.retention,
            on_batch=lambda *batch: self._inbox.call(self._accept, *batch),
            on_lost=lambda why: self._inbox.call(self._inbox.lose, why),
        )

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        self._inbox.check()
        self._watched.update(topics)
        async with self._starting:
            if self._position is None:
                # The thread starts behind this read, so it cannot miss what follows it.
                position = await off_loop(records.head_to_read_from, self._pubsub.alias)
                self._inbox.check()  # it may have been closed meanwhile
                self._reader.start(position)
                self._position = records.short(position, self._pubsub.alias)
        return self._position

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        self._watched.difference_update(topics)

    async def receive(self) -> Sequence[Message]:
        return await self._inbox.take()

    async def missed(self, topics: Collection[Topic], since: Cursor) -> str | None:
        return await off_loop(records.missed, tuple(topics), since, self._pubsub.alias)

    async def close(self) -> None:
        self._inbox.lose("the upstream was closed")
        await asyncio.to_thread(self._reader.stop)

    def _accept(self, position: Cursor, messages: Sequence[Message]) -> None:
        self._position = position
        self._inbox.put([message for message in messages if message.topic in self._watched])
