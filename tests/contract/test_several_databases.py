"""Messages on several databases, each in its own transactions."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connections

from realtime.backends.database import DatabasePubSub
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.models import StoredRecord
from realtime.publish import publish
from realtime.testing import PubSubContract
from realtime.testing.contract.topics import LIST, OTHER, SENTINEL, row
from tests.contract.database_case import DatabaseCase

_numbers = count()


class SecondDatabase(DatabaseCase):
    """A SQLite file of the test's own beside the default database."""

    def setUp(self) -> None:
        super().setUp()
        # A new alias each time: other threads keep connections by alias, and the file is another.
        self.second = f"second{next(_numbers)}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(folder.name) / "second")}
        options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
        usual = connections.settings[DEFAULT_DB_ALIAS]
        here = {**usual, **file, "OPTIONS": options}
        # For this test alone: Django would migrate and flush a database configured earlier.
        self.enterContext(mock.patch.dict(connections.settings, {self.second: here}))
        both = {DEFAULT_DB_ALIAS, self.second}
        self.enterContext(mock.patch.object(type(self), "databases", both))
        self.addCleanup(self._forget)
        with connections[self.second].schema_editor() as editor:
            editor.create_model(StoredRecord)

    rounds = 12

    def make_pubsub(self) -> DatabasePubSub:
        return DatabasePubSub(aliases=[DEFAULT_DB_ALIAS, self.second])

    def _forget(self) -> None:
        connections[self.second].close()
        del connections[self.second]


@pytest.mark.sqlite
class TestSecond(SecondDatabase, PubSubContract):
    """The contract, with all writes on a database that is not the default."""

    def setUp(self) -> None:
        super().setUp()
        self.using = self.second


class TestBoth(SecondDatabase):
    """Messages of both databases, through one upstream."""

    async def test_messages_of_both_are_received(self) -> None:
        """Each has a cursor for both."""
        async with self.upstream(LIST) as upstream:
            before = upstream.head()
            await self._on(DEFAULT_DB_ALIAS, row(LIST, 1))
            await self._on(self.second, row(LIST, 2))

            received = await self.receive_raw(upstream, 2)

            self.assertEqual(
                {repr(m.changes) for m in received}, {repr(row(LIST, n).changes) for n in (1, 2)}
            )
            await self.assert_told_since(upstream, [LIST], before, row(LIST, 1), row(LIST, 2))

    async def test_a_position_is_one_in_both(self) -> None:
        """Later messages on either are replayed, and no older ones."""
        await self._on(DEFAULT_DB_ALIAS, row(SENTINEL, 0), row(LIST, 0))
        await self._on(self.second, row(SENTINEL, 0), row(LIST, 0))
        positions: list[tuple[Cursor, list[Message]]] = []
        sent = [row(LIST, number) for number in range(1, 7)]
        for number, message in enumerate(sent):
            positions.append((await self.make_pubsub().aposition(), sent[number:]))
            await self._on(self.second if number % 2 else DEFAULT_DB_ALIAS, message)

        async with self.upstream(LIST, OTHER) as upstream:
            for since, rest in positions:
                told = await self.replayed(upstream, [LIST], since)
                assert told is not None
                self.assertEqual(sorted(map(repr, told)), sorted(map(repr, rest)))

    async def test_a_replayed_cursor_goes_on_in_both(self) -> None:
        """A client that applied part of a replay gets the rest."""
        await self._on(DEFAULT_DB_ALIAS, row(SENTINEL, 0))
        await self._on(self.second, row(SENTINEL, 0))
        since = await self.make_pubsub().aposition()
        for number in range(4):
            await self._on(self.second if number % 2 else DEFAULT_DB_ALIAS, row(LIST, number))

        async with self.upstream(LIST) as upstream:
            whole = await upstream.replay([LIST], since)
            for place, message in enumerate(whole):
                assert message.cursor is not None
                rest = await upstream.replay([LIST], message.cursor)
                self.assertEqual([m.changes for m in rest], [m.changes for m in whole[place + 1 :]])

    async def test_a_cursor_of_one_database_proves_nothing_for_two(self) -> None:
        """Such as a cursor from before the settings changed."""
        await self._on(DEFAULT_DB_ALIAS, row(SENTINEL, 0))
        alone = await DatabasePubSub().aposition()

        async with self.upstream(LIST) as upstream:
            await self.assert_refused(upstream, alone)

    async def test_publishing_on_either_is_stored_there(self) -> None:
        """In the writer's own transaction."""

        def publish_on_both() -> list[int]:
            with mock.patch("realtime.publish.get_pubsub", self.make_pubsub):
                before = self._counts()
                for alias in (DEFAULT_DB_ALIAS, self.second):
                    publish([row(LIST, 1)], using=alias)
                return [now - then for now, then in zip(self._counts(), before, strict=True)]

        self.assertEqual(await sync_to_async(publish_on_both)(), [1, 1])

    async def _on(self, alias: str, *messages: Message) -> None:
        with mock.patch.object(self, "using", alias):
            await self.send(*messages)

    def _counts(self) -> list[int]:
        return [StoredRecord.objects.using(a).count() for a in (DEFAULT_DB_ALIAS, self.second)]
