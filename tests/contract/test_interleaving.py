"""Transactions that overlap in every way, on several connections to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import pytest
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from realtime.backends.database import postgres, records, snapshot
from realtime.exceptions import CannotReplay
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WRITERS = 4
writers = st.integers(0, WRITERS - 1)
Numbers = frozenset[int]


@contextmanager
def using(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let this thread's database work run on `connection`."""
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


@dataclass
class Writer:
    """One connection, with what its open transaction has written and can see."""

    connection: BaseDatabaseWrapper
    begun: int | None = None
    written: list[int] = field(default_factory=list)
    sees: Numbers | None = None
    """The messages in its snapshot, if that is the whole transaction's."""


@dataclass(frozen=True)
class Given:
    """A cursor that was given out, and all messages that its holder has seen."""

    cursor: Cursor
    seen: Numbers


class Interleaving(RuleBasedStateMachine):
    """Writers begin, write, commit and roll back; one reader reads; any step takes a position."""

    def __init__(self) -> None:
        super().__init__()
        usual = connections[DEFAULT_DB_ALIAS]
        self.writers = [Writer(usual.copy()) for _ in range(WRITERS)]
        self.step = self.last = 0
        self.pruned = False
        self.committed: Numbers = frozenset()
        self.lived: dict[int, tuple[int, int]] = {}
        """For each message, when its transaction began and had committed."""
        self.delivered: list[int] = []
        self.position = records.head_to_read_from(DEFAULT_DB_ALIAS)
        self.given = [Given(records.head(DEFAULT_DB_ALIAS), self.committed)]

    def teardown(self) -> None:
        try:
            for number in range(WRITERS):
                self.end(number, True)
            self.read()
            for given in self.given:
                self._assert_replayed(given)
        finally:
            for writer in self.writers:
                writer.connection.close()

    @rule(number=writers, repeatable=st.booleans())
    def begin(self, number: int, repeatable: bool) -> None:
        writer = self.writers[number]
        if writer.begun is None:
            writer.connection.set_autocommit(False)
            writer.begun, writer.sees = self._now(), None
            with writer.connection.cursor() as cursor:
                if repeatable:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    writer.sees = self.committed
                cursor.execute("SELECT 1")

    @rule(number=writers, undone=st.booleans())
    def write(self, number: int, undone: bool) -> None:
        writer = self.writers[number]
        begun = self._now()
        self.last += 1
        with using(writer.connection):
            savepoint = writer.connection.savepoint() if undone and writer.begun else None
            records.write([Message(topic(self.last))], DEFAULT_DB_ALIAS)
            if savepoint:
                writer.connection.savepoint_rollback(savepoint)
        if writer.begun is None:
            self._committed([self.last], begun)
        elif not savepoint:
            writer.written.append(self.last)

    @rule(number=writers)
    def take_an_id_and_say_nothing(self, number: int) -> None:
        with self.writers[number].connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")

    @rule(number=writers, keep=st.booleans())
    def end(self, number: int, keep: bool) -> None:
        writer = self.writers[number]
        if writer.begun is not None:
            writer.connection.commit() if keep else writer.connection.rollback()
            writer.connection.set_autocommit(True)
            if keep:
                self._committed(writer.written, writer.begun)
            writer.begun, writer.written, writer.sees = None, [], None

    @rule()
    def take_a_position(self) -> None:
        self.given.append(Given(records.head(DEFAULT_DB_ALIAS), self.committed))

    @rule(number=writers)
    def take_a_position_within_a_transaction(self, number: int) -> None:
        writer = self.writers[number]
        seen = self.committed if writer.sees is None else writer.sees
        with using(writer.connection):
            self.given.append(Given(records.head(DEFAULT_DB_ALIAS), seen))

    @rule()
    def read(self) -> None:
        """Every committed message has been delivered now, and exactly once."""
        before = frozenset(range(1, self.last + 1)) & self._unread()
        self.position, found = read_all(self.position)
        for number, cursor in found:
            self.delivered.append(number)
            # Its holder has applied this message and all before it, and no more.
            self.given.append(Given(cursor, frozenset(self.delivered)))

        assert sorted(number for number, _ in found) == sorted(before)
        self._assert_order([number for number, _ in found])

    @rule(place=st.integers(0, 1000))
    def prune(self, place: int) -> None:
        """A cursor that has not seen every pruned message is refused; a later position is not."""
        self.pruned = True
        now = records.head(DEFAULT_DB_ALIAS)

        records.prune(self.given[place % len(self.given)].cursor, DEFAULT_DB_ALIAS)

        assert records.read_after(now, DEFAULT_DB_ALIAS) is not None
        if records.read_after(self.position, DEFAULT_DB_ALIAS) is None:
            # A reader whose position was pruned starts again.
            self.position = records.head_to_read_from(DEFAULT_DB_ALIAS)
            self.delivered = sorted(self.committed)

    @invariant()
    def every_cursor_replays_what_its_holder_has_not_seen(self) -> None:
        for given in self.given[-4:]:
            self._assert_replayed(given)

    def _assert_replayed(self, given: Given) -> None:
        unseen = self.committed - given.seen
        if records.read_after(given.cursor, DEFAULT_DB_ALIAS) is not None:
            _, found = read_all(given.cursor)
            assert unseen <= {number for number, _ in found}
        else:
            assert self.pruned
        try:
            told = records.replay([topic(n) for n in unseen], given.cursor, DEFAULT_DB_ALIAS)
        except CannotReplay:
            assert self.pruned
        else:
            assert {message.topic for message in told} == {topic(number) for number in unseen}

    def _now(self) -> int:
        self.step += 1
        return self.step

    def _committed(self, numbers: list[int], begun: int) -> None:
        now = self._now()
        self.committed |= set(numbers)
        self.lived |= dict.fromkeys(numbers, (begun, now))

    def _unread(self) -> Numbers:
        return self.committed - set(self.delivered)

    def _assert_order(self, found: list[int]) -> None:
        for place, later in enumerate(found):
            for earlier in found[:place]:
                begun, _ = self.lived[earlier]
                _, committed = self.lived[later]
                assert committed > begun, f"{earlier} began after {later} had committed"


def topic(number: int) -> Topic:
    return Topic(f"number:{number}")


def read_all(position: Cursor) -> tuple[Cursor, list[tuple[int, Cursor]]]:
    """Read behind a position until there are no more records."""
    found = []
    more = True
    while more:
        batch = records.read_after(position, DEFAULT_DB_ALIAS)
        assert batch is not None
        for record in batch.records:
            (message,) = record.messages
            found.append((int(message.topic.key), record.cursor))
        position, more = batch.position, batch.more
    return position, found


@pytest.mark.parametrize(("longest", "batch"), [(400, 500), (30, 2), (9, 500)])
@pytest.mark.hypothesis
@pytest.mark.timeout(0)
def test_nothing_is_skipped_nor_read_twice(longest: int, batch: int) -> None:
    """Also with the smallest batches, and with cursors too short for all running transactions."""
    chosen = settings(
        max_examples=settings().max_examples // 5, stateful_step_count=40, deadline=None
    )
    with (
        mock.patch.object(snapshot, "LONGEST_OFFSET", longest),
        mock.patch.object(postgres, "BATCH", batch),
    ):
        run_state_machine_as_test(Interleaving, settings=chosen)
