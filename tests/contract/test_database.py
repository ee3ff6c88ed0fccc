"""DatabasePubSub keeps the contract, and its own promises."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, transaction
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext

from realtime.backends import tables
from realtime.backends.database import DatabasePubSub, records
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.models import StoredRecord
from realtime.publish import publish
from realtime.testing import PubSubContract
from realtime.testing.contract.topics import LIST, OTHER, SENTINEL, row
from tests.contract.database_case import DatabaseCase, EmptyHistory, environment_of_the_demo

ROOT = Path(__file__).resolve().parents[2]

SEND_FROM_ANOTHER_PROCESS = """
import django
django.setup()
from django.db import transaction
from realtime import Message, publish
for number in range(3):
    with transaction.atomic():
        publish([Message("list:5", {"shop.order": {str(number): "updated"}})])
with transaction.atomic():
    publish([Message("list:5", reset="rolled back")])
    transaction.set_rollback(True)
publish([Message("list:5", {"shop.order": {"3": "updated"}})])
"""


class TestDatabasePubSub(PubSubContract, TransactionTestCase):
    """The contract, through the test database."""

    def make_pubsub(self) -> DatabasePubSub:
        return DatabasePubSub()


class TestOtherProcesses(DatabaseCase):
    """Messages between processes of the operating system."""

    async def test_messages_of_another_process_arrive(self) -> None:
        """In order, and only committed ones."""
        async with self.upstream(LIST) as upstream:
            await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", SEND_FROM_ANOTHER_PROCESS],
                env=environment_of_the_demo(),
                cwd=ROOT,
                check=True,
                timeout=30,
            )

            expected = [row(LIST, number) for number in range(4)]
            self.assertEqual(await self.receive(upstream, 4), expected)


class TestStoring(EmptyHistory):
    """A record exists if and only if the change does."""

    def test_the_messages_of_a_call_are_one_record(self) -> None:
        """They were published together, and are found together."""
        publish([row(LIST, 1), row(OTHER, 2)])

        self.assertEqual(StoredRecord.objects.count(), 1)

    def test_a_transaction_that_rolls_back_leaves_no_record(self) -> None:
        """Neither one rolled back on request, nor one that failed."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            publish([row(LIST, 1)])
            self.assertEqual(StoredRecord.objects.count(), 1)
            raise ZeroDivisionError

        self.assertEqual(StoredRecord.objects.count(), 0)

    def test_a_savepoint_that_rolls_back_leaves_no_record(self) -> None:
        """Also one rolled back by hand, which `on_commit` would not notice."""
        with transaction.atomic():
            publish([row(LIST, 1)])
            savepoint = connection.savepoint()
            publish([row(LIST, 2)])
            transaction.savepoint_rollback(savepoint)
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                publish([row(LIST, 3)])
                raise ZeroDivisionError

        (record,) = StoredRecord.objects.all()
        self.assertIn('"1"', record.payload)

    def test_a_message_that_cannot_be_stored_fails_the_writer(self) -> None:
        """The writer's transaction fails too, so that the message is not lost alone."""
        with self.assertRaises(TypeError):
            publish([Message(LIST, extra=object())])

        self.assertEqual(StoredRecord.objects.count(), 0)

    def test_messages_of_another_database_are_stored_after_its_commit(self) -> None:
        """Its transaction is another, so nothing is stored before it has committed."""
        committed = DatabasePubSub().prepare([row(LIST, 1)], "another")
        self.assertEqual(StoredRecord.objects.count(), 0)

        committed()

        self.assertEqual(StoredRecord.objects.count(), 1)

    def test_no_messages_are_no_record(self) -> None:
        """A call without messages adds no row."""
        before = StoredRecord.objects.count()

        publish([])

        self.assertEqual(StoredRecord.objects.count(), before)


class TestCursors(DatabaseCase):
    """Cursors that prove a complete replay, and cursors that do not."""

    async def test_a_cursor_too_many_records_ago_is_not_searched(self) -> None:
        """A client that was away for so long reloads."""
        await self.send(row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        await sync_to_async(StoredRecord.objects.bulk_create)(
            StoredRecord(payload="[]") for _ in range(records.MOST_REPLAYED + 1)
        )

        with self.assertRaisesMessage(CannotReplay, Reset.OVERFLOW):
            await sync_to_async(records.replay)([LIST], since, DEFAULT_DB_ALIAS)

    async def test_several_batches_are_searched(self) -> None:
        """A search over several batches finds no message of the topic."""
        await self.send(row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        await sync_to_async(StoredRecord.objects.bulk_create)(
            StoredRecord(payload="[]") for _ in range(2 * records.BATCH + 1)
        )

        async with self.upstream(LIST) as upstream:
            await self.assert_nothing_since(upstream, [LIST], since)


class TestMemory(DatabaseCase):
    """The history in a process's memory, also from before its start."""

    async def test_a_client_of_a_new_process_does_not_query_the_database(self) -> None:
        """After a restart very many clients come from the old process at once."""
        await self.send(row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        await self.send(row(LIST, 1), row(OTHER, 2))
        async with self.upstream(LIST) as upstream:
            with mock.patch.object(records, "replay", side_effect=AssertionError):
                self.assertEqual(await self.replayed(upstream, [LIST], since), [row(LIST, 1)])
                await self.send(row(LIST, 3))
                await self.receive(upstream, 1)
                told = await self.replayed(upstream, [LIST], since)

        self.assertEqual(told, [row(LIST, 1), row(LIST, 3)])

    async def test_an_older_cursor_is_replayed_by_the_database(self) -> None:
        """The database returns the same messages."""
        await self.send(row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        for number in range(4):
            await self.send(row(LIST, number), row(OTHER, number))
        with mock.patch.object(records, "RECENT_RECORDS", 2):
            async with self.upstream(LIST) as upstream:
                told = await self.replayed(upstream, [LIST], since)

        self.assertEqual(told, [row(LIST, number) for number in range(4)])

    async def test_a_topic_is_not_taken_for_another_that_looks_like_it(self) -> None:
        """The database searches for the topic's text, which keys and labels may contain too."""
        topics = [Topic(t) for t in ("list:5", "list:55", "list:%25", "list:a_b", "list:")]
        await self.send(row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        await self.send(Message(Topic("other:1"), {"list:5": {"list:5": "updated"}}))
        for topic in topics:
            await self.send(row(topic, 1))

        for topic in topics:
            told = await sync_to_async(records.replay)([topic], since, DEFAULT_DB_ALIAS)
            self.assertEqual([message.topic for message in told], [topic])
        self.assertEqual(await sync_to_async(records.replay)([], since, DEFAULT_DB_ALIAS), [])


class TestPruning(DatabaseCase):
    """Records are kept for a while after they were seen."""

    def make_pubsub(self) -> DatabasePubSub:
        return DatabasePubSub(retention=0.05, interval=0.005)

    async def test_old_records_go_and_the_newest_stays(self) -> None:
        """So the reader's position, and every current cursor, still names a record."""
        await self.send(row(SENTINEL, 0))
        async with self.upstream(LIST) as upstream:
            old = await self.make_pubsub().aposition()
            async with asyncio.timeout(self.patience):
                sent = 0
                while await sync_to_async(self._is_there)(old):
                    await self.send(row(LIST, sent))
                    await self.receive(upstream, 1)
                    sent += 1
            new = await self.make_pubsub().aposition()

            await self.assert_nothing_since(upstream, [LIST], new)
            self.assertGreater(await StoredRecord.objects.acount(), 0)
            await self.send(row(LIST, -1))
            self.assertEqual(await self.receive(upstream, 1), [row(LIST, -1)])

    def _is_there(self, cursor: Cursor) -> bool:
        return records.read_after(cursor, DEFAULT_DB_ALIAS) is not None


class TestReader(DatabaseCase):
    """The thread that polls."""

    async def test_a_database_that_fails_for_a_while_loses_nothing(self) -> None:
        """The rows stay, so they are read later."""
        await self.send(row(LIST, 0))
        async with self.upstream(LIST) as upstream:
            with self._failing(times=3) as failed, self.assertLogs("realtime.database", "WARNING"):
                for number in range(5):
                    await self.send(row(LIST, number))
                await asyncio.to_thread(failed.wait, self.patience)

                expected = [row(LIST, number) for number in range(5)]
                self.assertEqual(await self.receive(upstream, 5), expected)

    @contextmanager
    def _failing(self, times: int) -> Iterator[threading.Event]:
        """Let the next reads of records fail, as a locked database does."""
        read_after, left, failed = records.read_after, iter(range(times)), threading.Event()

        def read(cursor: Cursor, alias: str) -> records.Found | None:
            if next(left, None) is not None:
                raise OperationalError("database is locked")
            failed.set()
            return read_after(cursor, alias)

        with mock.patch.object(records, "read_after", read):
            yield failed

    async def test_a_record_that_cannot_be_read_ends_the_upstream(self) -> None:
        """The reader does not skip it."""
        async with self.upstream(LIST) as upstream:
            with self.assertLogs("realtime.database", "ERROR"):
                await StoredRecord.objects.acreate(payload="nonsense")
                await self.lost(upstream)

    async def test_a_backlog_of_several_batches_arrives_whole(self) -> None:
        """More records were committed at once than are read at once."""
        many = 3 * records.BATCH + 1
        await self.send(row(LIST, 0))
        async with self.upstream(LIST) as upstream:
            payload = '[{"topic":"list:5","changes":{"shop.order":{"%d":"updated"}}}]'
            await sync_to_async(StoredRecord.objects.bulk_create)(
                StoredRecord(payload=payload % number) for number in range(many)
            )

            received = await self.receive(upstream, many)
            self.assertTrue(received == [row(LIST, number) for number in range(many)])

    async def test_a_history_that_was_empty_is_read_from_its_first_record(self) -> None:
        """No position exists before it."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_a_commit_of_this_process_wakes_the_reader(self) -> None:
        """The reader does not wait for its next poll."""
        pubsub = DatabasePubSub(interval=3600)
        await self.send(row(LIST, 0))
        upstream = pubsub.connect()
        try:
            await upstream.watch([LIST])
            await self.send(row(LIST, 1))

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])
        finally:
            await upstream.close()

    async def test_closing_ends_the_thread(self) -> None:
        """And its database connection is closed."""
        before = set(threading.enumerate())
        async with self.upstream(LIST):
            begun = set(threading.enumerate()) - before
            (reader,) = [thread for thread in begun if thread.name == "realtime-reader"]

        self.assertFalse(reader.is_alive())


class TestTable(EmptyHistory):
    """Writing before the table exists, as during a project's first `migrate`."""

    def test_without_its_table_nothing_is_written_and_one_warning_logged(self) -> None:
        """A migration that writes tracked rows succeeds: no client can be connected yet."""
        with self._hidden(), self.assertLogs("realtime.database", "WARNING") as logged:
            for _ in range(2):
                with transaction.atomic():
                    publish([row(LIST, 1)])
                    self.assertFalse(StoredRecord._meta.db_table in self._tables())

        self.assertEqual(len(logged.output), 1)
        publish([row(LIST, 2)])
        self.assertEqual(StoredRecord.objects.count(), 1)

    def test_a_writer_asks_for_it_once(self) -> None:
        """The query would be part of every commit."""
        publish([row(LIST, 1)])

        with CaptureQueriesContext(connection) as queries:
            publish([row(LIST, 2)])

        stored = [each["sql"] for each in queries if not each["sql"].startswith("NOTIFY")]
        self.assertEqual(len(stored), 1)
        self.assertIn("INSERT", stored[0])

    @contextmanager
    def _hidden(self) -> Iterator[None]:
        table = StoredRecord._meta.db_table
        self._execute(f"ALTER TABLE {table} RENAME TO hidden")
        try:
            with (
                mock.patch.object(tables, "_there", set()),
                mock.patch.object(tables, "_missed", set()),
            ):
                yield
        finally:
            self._execute(f"ALTER TABLE hidden RENAME TO {table}")

    def _execute(self, sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    def _tables(self) -> list[str]:
        return connection.introspection.table_names()
