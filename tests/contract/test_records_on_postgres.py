"""DatabasePubSub on PostgreSQL, where a position is a snapshot."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from realtime.backends.database import DatabasePubSub, postgres, records
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import Cursor
from realtime.messages.message import Reset
from realtime.models import StoredRecord
from realtime.publish import publish
from realtime.testing.contract.topics import LIST, OTHER, row
from tests.contract.database_case import DatabaseCase
from tools.postgres import Postgres

pytestmark = pytest.mark.postgres


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def missed(since: Cursor, alias: str = DEFAULT_DB_ALIAS) -> str | None:
    """Return the messages behind a position, or the reason of CannotReplay."""
    try:
        return str(records.replay([LIST], since, alias) or "") or None
    except CannotReplay as error:
        return error.reason


class TestOverlapping(DatabaseCase):
    """Transactions that overlap."""

    async def test_a_long_transaction_neither_holds_others_up_nor_is_passed_over(self) -> None:
        """It took its id first, and its message arrives when it commits at last."""
        async with self.upstream(LIST, OTHER) as upstream:
            async with self.open_transaction(row(OTHER, 1)):
                await self.send(row(LIST, 1))
                await self.send(row(LIST, 2))
                meanwhile = await self.receive(upstream, 2)

            self.assertEqual(meanwhile, [row(LIST, 1), row(LIST, 2)])
            self.assertEqual(await self.receive(upstream, 1), [row(OTHER, 1)])

    async def test_a_cursor_of_a_message_misses_what_was_open_before_it(self) -> None:
        """A client that reconnects with it gets the transaction that committed after it."""
        async with self.upstream(LIST, OTHER) as upstream:
            async with self.open_transaction(row(OTHER, 1)):
                await self.send(row(LIST, 1))
                (message,) = await self.receive_raw(upstream, 1)
                assert message.cursor is not None
                while_open = await self.replayed(upstream, [OTHER], message.cursor)

            self.assertEqual(while_open, [])
            await self.assert_told_since(upstream, [OTHER], message.cursor, row(OTHER, 1))

    def test_a_position_of_a_transaction_does_not_hide_what_it_writes_later(self) -> None:
        """PostgreSQL's own snapshot would count it as seen, once a later one has ended."""
        with transaction.atomic():
            publish([row(OTHER, 1)])
            with another_connection():
                publish([row(OTHER, 2)])
            since = records.head(DEFAULT_DB_ALIAS)
            publish([row(LIST, 1)])

        self.assertIn("list:5", str(missed(since)))

    def test_a_transaction_is_read_whole(self) -> None:
        """Only the position of its last record is behind it: no client may have part of it."""
        start = records.head(DEFAULT_DB_ALIAS)
        with transaction.atomic():
            for number in range(5):
                publish([row(LIST, number)])
        publish([row(LIST, 5)])

        with mock.patch.object(postgres, "BATCH", 2):
            found = records.read_after(start, DEFAULT_DB_ALIAS)

        assert found is not None
        self.assertTrue(found.more)
        self.assertEqual(len(found.records), 5)
        self.assertEqual({record.cursor for record in found.records[:-1]}, {start})
        self.assertEqual(found.records[-1].cursor, found.position)
        left = records.read_after(found.position, DEFAULT_DB_ALIAS)
        assert left is not None
        self.assertEqual(len(left.records), 1)

    def test_a_position_is_one_query_and_so_is_a_look(self) -> None:
        """Every page takes a position, and each process polls twenty times a second."""
        since = records.head(DEFAULT_DB_ALIAS)
        with CaptureQueriesContext(connection) as queries:
            records.head(DEFAULT_DB_ALIAS)
            records.read_after(since, DEFAULT_DB_ALIAS)

        self.assertEqual(len(queries), 2)


class TestPruning(DatabaseCase):
    """Records are deleted once every reader of some time ago has seen them."""

    def test_a_cursor_from_before_the_pruned_records_is_refused(self) -> None:
        """A cursor that has seen them is accepted."""
        before = self._head()
        publish([row(OTHER, 1)])
        between = self._head()
        publish([row(OTHER, 2)])

        records.prune(between, DEFAULT_DB_ALIAS)

        self.assertEqual(missed(before), Reset.HISTORY_EXPIRED)
        self.assertIsNone(missed(between))
        self.assertEqual(self._payloads(), ["2"])

    def test_an_older_bound_takes_nothing_back(self) -> None:
        """Two processes prune, one behind the other."""
        publish([row(OTHER, 1)])
        older = self._head()
        publish([row(OTHER, 2)])
        records.prune(self._head(), DEFAULT_DB_ALIAS)
        StoredRecord.objects.create(payload="[]", xid=1)

        records.prune(older, DEFAULT_DB_ALIAS)

        self.assertEqual(self._payloads(), [])
        self.assertEqual(missed(older), Reset.HISTORY_EXPIRED)

    def test_a_transaction_that_is_open_keeps_what_was_written_beside_it(self) -> None:
        """Cursors given out meanwhile cannot distinguish it from those."""
        publish([row(OTHER, 1)])
        self._head()
        with another_connection(), transaction.atomic():
            publish([row(OTHER, 2)])
            with another_connection():
                publish([row(OTHER, 3)])
                now = records.head(DEFAULT_DB_ALIAS)
                records.prune(now, DEFAULT_DB_ALIAS)

        self.assertEqual(self._payloads(), ["2", "3"])
        self.assertTrue(records.replay([OTHER], now, DEFAULT_DB_ALIAS))

    def test_a_cursor_of_another_life_prunes_nothing(self) -> None:
        """Its numbers mean nothing in this epoch."""
        publish([row(OTHER, 1)])
        now = self._head()

        records.prune(Cursor("another", now.offset), DEFAULT_DB_ALIAS)
        records.prune(Cursor(now.epoch, "garbage"), DEFAULT_DB_ALIAS)

        self.assertEqual(self._payloads(), ["1"])

    def test_a_bounded_number_goes_at_once(self) -> None:
        """Later calls delete the rest."""
        for number in range(8):
            publish([row(LIST, number)])
        now = self._head()

        left = []
        with mock.patch.object(postgres, "MOST_PRUNED", 2):
            while self._payloads():
                records.prune(now, DEFAULT_DB_ALIAS)
                left.append(len(self._payloads()))

        self.assertEqual(left, [5, 2, 0])

    def _payloads(self) -> list[str]:
        kept = StoredRecord.objects.filter(id__gt=0).order_by("id")
        return re.findall(r'"(\d+)":"updated"', "".join(kept.values_list("payload", flat=True)))

    def _head(self) -> Cursor:
        """Return a position at which no transaction runs, in any database of the server."""
        deadline = monotonic() + self.patience
        while "~" in (found := records.head(DEFAULT_DB_ALIAS)).offset:
            self.assertLess(monotonic(), deadline, "the server was never idle")
        return found


class TestLives(DatabaseCase):
    """Positions of a history that exists no longer prove nothing."""

    async def test_truncating_ends_the_upstream(self) -> None:
        """Unread records are gone. The next upstream starts anew."""
        since = await self.make_pubsub().aposition()
        async with self.upstream(LIST) as upstream:
            await sync_to_async(execute)("TRUNCATE realtime_storedrecord")

            self.assertIn("are gone", await self.lost(upstream))
        async with self.upstream(LIST) as upstream:
            await self.assert_refused(upstream, since)
            now = await self.make_pubsub().aposition()
            await self.assert_nothing_since(upstream, [LIST], now)

    def test_a_snapshot_from_before_a_truncation_is_of_the_old_life(self) -> None:
        """Although the table is empty already within that transaction."""
        with transaction.atomic():
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            execute("SELECT 1")
            with another_connection():
                publish([row(LIST, 1)])
                execute("TRUNCATE realtime_storedrecord")
            since = records.head(DEFAULT_DB_ALIAS)

        self.assertEqual(missed(since), Reset.HISTORY_EXPIRED)

    def test_a_position_of_the_future_is_refused(self) -> None:
        """No reader can have such a position."""
        now = records.head(DEFAULT_DB_ALIAS)

        later = Cursor(now.epoch, str(int(now.offset.split("~")[0]) + 1000))

        self.assertEqual(missed(later), Reset.HISTORY_EXPIRED)

    def test_records_restored_from_another_server_do_no_harm(self) -> None:
        """Their transaction ids, and how far they were pruned, are another server's numbers."""
        far = 10**15
        StoredRecord.objects.create(id=0, token="another", payload="[]", xid=far)
        StoredRecord.objects.create(payload='[{"topic":"list:5"}]', xid=far)
        since = records.head(DEFAULT_DB_ALIAS)
        publish([row(OTHER, 1)])

        found = records.read_after(since, DEFAULT_DB_ALIAS)

        assert found is not None
        self.assertEqual([record.messages[0].topic for record in found.records], [OTHER])
        records.prune(records.head(DEFAULT_DB_ALIAS), DEFAULT_DB_ALIAS)
        self.assertIsNone(missed(records.head(DEFAULT_DB_ALIAS)))


class TestFailing(DatabaseCase):
    """Connections and servers that fail."""

    async def test_a_reader_whose_connection_dies_loses_nothing(self) -> None:
        """It reconnects, and reads on from its position."""
        others = await sync_to_async(self._backends)()
        async with self.upstream(LIST) as upstream:
            await self.send(row(LIST, 0))
            await self.receive(upstream, 1)
            with self.assertLogs("realtime.database", "WARNING"):
                ours = await sync_to_async(self._backends)() - others
                for pid in ours:
                    await sync_to_async(execute)(f"SELECT pg_terminate_backend({pid})")
                await self.send(row(LIST, 1))

                self.assertEqual(await self.receive(upstream, 1), [row(LIST, 1)])

    def _backends(self) -> set[int]:
        sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return {pid for (pid,) in cursor.fetchall()}

    def test_a_server_that_was_restarted_may_have_lost_something(self) -> None:
        """After a clean stop or a crash, reported or not: a restored copy looks the same."""
        with self._server() as (server, alias):
            for end in (server.stop, server.kill):
                since = records.head(alias)
                self.assertIsNone(missed(since, alias))

                end()
                server.start()
                connections[alias].close()

                self.assertEqual(missed(since, alias), Reset.HISTORY_EXPIRED)
                self.assertIsNone(missed(records.head(alias), alias))

    def test_a_crash_of_one_of_its_processes_may_have_lost_something(self) -> None:
        """PostgreSQL then restarts all but the first of them from its log."""
        with self._server() as (_, alias):
            since = records.head(alias)
            started = self._ask(alias, "SELECT pg_postmaster_start_time()")

            with self._until_all_are_cut_off(alias):
                os.kill(self._ask(alias, "SELECT pg_backend_pid()"), signal.SIGKILL)
            connections[alias].close()
            self._wait_until_it_answers(alias)

            self.assertEqual(missed(since, alias), Reset.HISTORY_EXPIRED)
            self.assertEqual(self._ask(alias, "SELECT pg_postmaster_start_time()"), started)

    def test_a_reader_ends_with_the_server_that_it_read(self) -> None:
        """Its owner makes another, and resets every client."""
        with self._server() as (server, alias), self._on(alias):
            async_to_sync(self._restart_under_a_reader)(server)

    async def _restart_under_a_reader(self, server: Postgres) -> None:
        async with self.upstream(LIST) as upstream:
            with self.assertLogs("realtime.database", "WARNING"):
                await sync_to_async(server.stop)()
                await sync_to_async(server.start)()

                self.assertIn("are gone", await self.lost(upstream))

    def _ask(self, alias: str, sql: str) -> Any:
        with connections[alias].cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    @contextmanager
    def _until_all_are_cut_off(self, alias: str) -> Iterator[None]:
        """Wait until another connection breaks; PostgreSQL ends them one after another."""
        witness = connections[alias].copy()
        witness.ensure_connection()
        try:
            yield
            deadline = monotonic() + self.patience
            with self.assertRaises(OperationalError), witness.cursor() as cursor:
                while monotonic() < deadline:
                    cursor.execute("SELECT pg_sleep(0.01)")
        finally:
            witness.close()

    def _wait_until_it_answers(self, alias: str) -> None:
        deadline = monotonic() + self.patience
        while True:
            try:
                self._ask(alias, "SELECT 1")
            except OperationalError:
                connections[alias].close()
                if monotonic() > deadline:
                    raise
            else:
                return

    @contextmanager
    def _server(self) -> Iterator[tuple[Postgres, str]]:
        """Start a server that the test may stop; return it and its alias."""
        alias = "of_its_own"
        with Postgres(durable=True) as server:
            where = {"HOST": str(server.folder), "PORT": "", "NAME": "postgres", "USER": "postgres"}
            here = {**connections.settings[DEFAULT_DB_ALIAS], **where}
            # Django checks a class's databases before the server exists.
            allowed = mock.patch.object(type(self), "databases", {DEFAULT_DB_ALIAS, alias})
            with mock.patch.dict(connections.settings, {alias: here}), allowed:
                with connections[alias].schema_editor() as editor:
                    editor.create_model(StoredRecord)
                try:
                    yield server, alias
                finally:
                    connections[alias].close()
                    del connections[alias]

    @contextmanager
    def _on(self, alias: str) -> Iterator[None]:
        with mock.patch.object(self, "make_pubsub", partial(DatabasePubSub, aliases=[alias])):
            yield


@contextmanager
def another_connection() -> Iterator[None]:
    """Use another connection in this thread."""
    mine = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = mine.copy()
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS].close()
        connections[DEFAULT_DB_ALIAS] = mine
