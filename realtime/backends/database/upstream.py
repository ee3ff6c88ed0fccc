"""One event loop's connection to the messages in the databases."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from realtime.backends.base import Upstream
from realtime.backends.database import joint_cursor, records
from realtime.backends.database.history import History
from realtime.backends.database.reader import Reader
from realtime.backends.database.record import Record
from realtime.backends.inbox import Inbox
from realtime.concurrency import off_loop
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic

HUNG_AFTER = 30.0
"""Seconds after which a database that neither answers nor fails counts as lost."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records that were read on one database, and the exact position behind them."""

    alias: str
    position: Cursor
    records: Sequence[Record]


class DatabaseUpstream(Upstream):
    """Receives through a `Reader` for each database.

    Owner of its state: the event loop that made it.

    The readers' threads hand over whole batches with the position behind them. Watched topics are
    selected when a batch is taken, so no message falls between `watch()` and the selection. A taken
    batch is in the history, so a replay and the result of `receive()` do not overlap.
    """

    def __init__(self, aliases: Sequence[str], *, interval: float, retention: float) -> None:
        self._inbox: Inbox[_Batch] = Inbox()
        self._watched: set[Topic] = set()
        self._starting = asyncio.Lock()
        self._started = False
        self._heads: dict[str, Cursor] = dict.fromkeys(aliases, NOWHERE)
        """The position up to which messages have been taken, as given to clients."""
        self._histories: dict[str, History] = {}
        self._readers = {
            alias: Reader(
                alias,
                interval=interval,
                retention=retention,
                on_batch=lambda *batch: self._inbox.call(self._accept, _Batch(*batch)),
                on_lost=lambda why: self._inbox.call(self._inbox.lose, why),
            )
            for alias in aliases
        }

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        """Receive messages of `topics`; the first call starts the readers."""
        self._inbox.check()
        self._watched.update(topics)
        async with self._starting:
            if not self._started:
                for alias, reader in self._readers.items():
                    if alias not in self._histories:
                        await self._start(alias, reader)
                self._started = True
        return self.head()

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Stop receiving messages of `topics`."""
        self._watched.difference_update(topics)

    async def receive(self) -> Sequence[Message]:
        """Wait for messages of the watched topics."""
        while True:
            batches = await self._inbox.take()
            if messages := [m for batch in batches for m in self._messages_of(batch)]:
                return messages

    def head(self) -> Cursor:
        """Return the position up to which messages have been taken."""
        return joint_cursor.join(list(self._heads.values()))

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        """Return the messages behind a cursor: from memory if it goes back so far, or by query."""
        parts = joint_cursor.split(since, len(self._heads))
        if parts is None:
            raise CannotReplay(Reset.UNKNOWN_CURSOR)
        replayed = []
        for number, alias in enumerate(self._heads):
            known = self._histories.get(alias)
            found = known.since(topics, parts[number]) if known else None
            if found is None:
                found = await off_loop(records.replay, topics, parts[number], alias)
            for message in found:
                parts[number] = message.cursor or parts[number]
                replayed.append(self._placed(message, parts))
        return replayed

    async def check(self) -> None:
        """Raise UpstreamLost if a poll of a database hangs."""
        for alias, reader in self._readers.items():
            if reader.has_hung(HUNG_AFTER):
                raise UpstreamLost(
                    f"the database {alias!r} has not answered for {HUNG_AFTER:.0f} s"
                )

    async def close(self) -> None:
        """Stop the threads; a thread that hangs is abandoned."""
        self._inbox.lose("the upstream was closed")
        await asyncio.gather(*(asyncio.to_thread(each.stop) for each in self._readers.values()))

    async def _start(self, alias: str, reader: Reader) -> None:
        # The thread starts at this position, so it cannot miss a later record.
        position = await off_loop(records.head_to_read_from, alias)
        self._inbox.check()  # it may have been closed meanwhile
        self._histories[alias] = await off_loop(records.new_history, position, alias)
        self._heads[alias] = records.short(position, alias)
        reader.start(position)

    def _accept(self, batch: _Batch) -> None:
        self._inbox.put([batch], sum(len(record.messages) for record in batch.records))

    def _messages_of(self, batch: _Batch) -> Iterator[Message]:
        """Yield the watched messages of a batch, and advance to its end."""
        for record in batch.records:
            self._heads[batch.alias] = record.cursor
            watched = [each for each in record.messages if each.topic in self._watched]
            for message in watched:
                yield self._placed(message, list(self._heads.values()))
        self._histories[batch.alias].add(batch.records, batch.position)
        self._heads[batch.alias] = records.short(batch.position, batch.alias)

    def _placed(self, message: Message, heads: Sequence[Cursor]) -> Message:
        """Return the message with the position in all databases; with one, it has that already."""
        return message if len(heads) == 1 else replace(message, cursor=joint_cursor.join(heads))
