"""PostgreSQL's NOTIFY wakes a reader, and nothing depends on it."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from realtime.backends.database import DatabasePubSub, reader, wakeup
from realtime.backends.database import reader as reader_module
from realtime.backends.database.wakeup import NotifyWaiter, notify
from realtime.publish import publish
from realtime.testing.contract.topics import LIST, row
from tests.contract.database_case import DatabaseCase, environment_of_the_demo
from tests.contract.test_records_on_postgres import execute

pytestmark = pytest.mark.postgres

PUBLISH = """
import django
django.setup()
from realtime import Message, publish
from realtime.messages.topics import Topic
publish([Message(Topic("list:5"), {"shop.order": {"1": "updated"}})])
"""
RECORD = (
    "INSERT INTO realtime_storedrecord (token, payload)"
    """ VALUES ('by-psql', '[{"topic": "list:5", "changes": {"shop.order": {"%d": "updated"}}}]')"""
)


class TestWaking(DatabaseCase):
    """Readers whose next poll is due after the end of the test."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(reader_module, "NOTIFIED_INTERVAL", 3_600.0))

    async def test_a_commit_of_another_process_wakes_the_reader(self) -> None:
        """Its next poll is due in an hour."""
        async with self.upstream(LIST) as upstream:
            await sync_to_async(self._publish_in_another_process)()

            self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_a_reader_that_listens_can_be_stopped(self) -> None:
        """It waits for the server, and for `stop()`."""
        async with self.upstream(LIST) as upstream:
            began = monotonic()
            await self.within(upstream.close())

        self.assertLess(monotonic() - began, reader.STOP_TIMEOUT)

    async def test_a_lost_connection_is_noticed_at_once(self) -> None:
        """Messages committed meanwhile are read on the next connection."""
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 0))
            await self.receive(upstream, 1)

            with self.assertLogs("realtime.database", "WARNING"):
                await sync_to_async(execute)(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE '%pg_current_snapshot%'"
                    " AND pid <> pg_backend_pid()"
                )
                await sync_to_async(execute)(RECORD % 1)
                self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    def _publish_in_another_process(self) -> None:
        subprocess.run([sys.executable, "-c", PUBLISH], env=environment_of_the_demo(), check=True)


class TestNet(DatabaseCase):
    """Polling finds records without a notification."""

    def make_pubsub(self) -> DatabasePubSub:
        return DatabasePubSub(interval=0.01)

    async def test_a_record_without_a_notification_is_found(self) -> None:
        """By the poll at NOTIFIED_INTERVAL."""
        with mock.patch.object(reader_module, "NOTIFIED_INTERVAL", 0.2):
            async with self.upstream(LIST) as upstream:
                await sync_to_async(execute)(RECORD % 1)
                self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    async def test_a_reader_without_notifications_polls_more_often(self) -> None:
        """Through a pooler no notification ever arrives."""
        with mock.patch.object(reader_module, "NOTIFIED_INTERVAL", 0.2):
            async with self.upstream(LIST) as upstream:
                reader = upstream._readers[DEFAULT_DB_ALIAS]  # type: ignore[attr-defined]
                # A second notification may arrive with the first one.
                while not reader._unnotified_until:
                    await sync_to_async(execute)(RECORD % 0)
                    await self.receive(upstream, 1)
                with mock.patch.object(reader_module, "NOTIFIED_INTERVAL", 3_600.0):
                    for number in (1, 2, 3):
                        await sync_to_async(execute)(RECORD % number)
                        self.assertEqual(await self.receive(upstream, 1), [row(LIST, number)])


class TestNotify(DatabaseCase):
    """The notification that a writer sends after its commit."""

    def test_notify_follows_the_commit(self) -> None:
        """Within the transaction, every commit of the server would wait for it."""
        with mock.patch("realtime.publish.get_pubsub", DatabasePubSub):
            with CaptureQueriesContext(connection) as queries, transaction.atomic():
                publish([row(LIST, 1)])
                self.assertFalse([q for q in queries.captured_queries if "NOTIFY" in q["sql"]])
            self.assertEqual(connection.queries_log[-1]["sql"], f"NOTIFY {wakeup.CHANNEL}")

    def test_notify_is_not_sent_where_it_would_begin_a_transaction(self) -> None:
        """With autocommit off, a poll will find the record."""
        transaction.set_autocommit(False)
        try:
            self.assertFalse(notify(DEFAULT_DB_ALIAS))
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_a_writer_does_not_fail_with_notify(self) -> None:
        """The change is committed."""
        with mock.patch.object(wakeup, "CHANNEL", "no such; channel"):
            self.assertFalse(notify(DEFAULT_DB_ALIAS))

        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def test_a_waiter_without_a_connection_can_still_be_woken(self) -> None:
        """By its own process."""
        waiter = NotifyWaiter(DEFAULT_DB_ALIAS)
        try:
            connections[DEFAULT_DB_ALIAS].close()
            self.assertFalse(waiter.wait(0.001))
            waiter.wake()
            self.assertTrue(waiter.wait(60))
        finally:
            waiter.close()
        waiter.wake()
