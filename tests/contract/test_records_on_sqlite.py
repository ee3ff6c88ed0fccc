"""DatabasePubSub on SQLite, where a position is a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test.utils import CaptureQueriesContext

from realtime.backends.database import records
from realtime.backends.database.reader import Reader
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.models import StoredRecord
from realtime.publish import publish
from realtime.testing.contract.topics import LIST, OTHER, SENTINEL, row
from tests.contract.database_case import DatabaseCase

pytestmark = pytest.mark.sqlite


class TestPositions(DatabaseCase):
    """A position is valid while its record exists."""

    async def test_a_position_of_a_transaction_that_rolled_back_is_refused(self) -> None:
        """The record that it names never existed, though another may have its id."""
        await self.send(row(SENTINEL, 0))
        positions: list[Cursor] = []

        def take_position() -> None:
            publish([row(OTHER, 1)])
            positions.append(self.make_pubsub().position())

        await self.roll_back(take_position)
        async with self.upstream() as upstream:
            await self.assert_refused(upstream, positions[0])
            await self.send(row(OTHER, 2))
            reused = await self.make_pubsub().aposition()
            self.assertEqual(reused.offset, positions[0].offset)
            await self.assert_refused(upstream, positions[0])

    async def test_an_empty_history_proves_nothing(self) -> None:
        """A flushed table may have held any record."""
        since = await self.make_pubsub().aposition()

        async with self.upstream() as upstream:
            await self.assert_refused(upstream, since)

    async def test_pruning_takes_only_what_lies_before(self) -> None:
        """However often it is called, and for any cursor."""
        for number in range(5):
            await self.send(row(LIST, number))
        newest = await self.make_pubsub().aposition()

        for cursor in (Cursor("x", "garbage"), NOWHERE, newest, newest):
            await sync_to_async(records.prune)(cursor, DEFAULT_DB_ALIAS)

        self.assertEqual(await self.make_pubsub().aposition(), newest)
        self.assertEqual(await StoredRecord.objects.acount(), 1)


class TestReader(DatabaseCase):
    """A reader's position is a record."""

    async def test_a_record_that_vanished_under_the_reader_ends_the_upstream(self) -> None:
        """Other records may have been deleted with it, unread."""
        await self.send(row(LIST, 0))
        async with self.upstream(LIST) as upstream:
            await StoredRecord.objects.all().adelete()
            why = await self.lost(upstream)

            self.assertIn("are gone", why)

    async def test_a_record_that_was_replaced_under_the_reader_ends_the_upstream(self) -> None:
        """As after a restore: the same id, another epoch."""
        await self.send(row(LIST, 0))
        async with self.upstream(LIST) as upstream:
            await StoredRecord.objects.aupdate(token="another")
            await self.lost(upstream)

    async def test_a_reader_of_an_empty_history_writes_a_record_first(self) -> None:
        """Without one it could not notice that records were pruned before it read them."""
        await StoredRecord.objects.all().adelete()

        async with self.upstream(LIST):
            self.assertEqual(await StoredRecord.objects.acount(), 1)

    def test_an_idle_look_asks_the_database_nothing(self) -> None:
        """It runs twenty times a second in every process, and must cost nearly nothing."""
        publish([row(LIST, 0)])
        batches: list[Cursor] = []
        reader = Reader(
            DEFAULT_DB_ALIAS,
            interval=1,
            retention=1,
            on_batch=lambda alias, position, records: batches.append(position),
            on_lost=self.fail,
        )
        reader._position = records.head(DEFAULT_DB_ALIAS)
        reader._poll()

        with CaptureQueriesContext(connection) as idle:
            reader._poll()
        with self._another_connection():
            publish([row(LIST, 1)])
        with CaptureQueriesContext(connection) as busy:
            reader._poll()

        self.assertEqual(len(idle), 0)
        self.assertEqual(len([q for q in busy if "SELECT" in q["sql"]]), 1)
        self.assertEqual(len(batches), 1)

    @contextmanager
    def _another_connection(self) -> Iterator[None]:
        """Use another connection in this thread; the first has seen none of its commits."""
        mine = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = mine.copy()
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS].close()
            connections[DEFAULT_DB_ALIAS] = mine
