"""The history of an upstream: its replays, and when it returns None."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.backends.database import postgres, sqlite
from realtime.backends.database.history import History
from realtime.backends.database.record import Record
from realtime.backends.database.snapshot import Snapshot
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic

TOPIC, OTHER = Topic("list:5"), Topic("list:6")


def at(number: int, life: str = "e") -> Cursor:
    return Cursor(f"{life}{number}", str(number))


def record(number: int, *topics: Topic) -> Record:
    """Make a record as on SQLite, with messages that carry its number."""
    messages = [
        Message(topic, {"a.b": {str(number): "updated"}}, cursor=at(number), extra={"big": number})
        for topic in topics or (TOPIC,)
    ]
    return Record(at(number), tuple(messages), number)


def numbers(messages: list[Message] | None) -> list[int] | None:
    """Return the numbers that messages carry; None for None."""
    return None if messages is None else [int(*message.changes["a.b"]) for message in messages]


class TestById:
    """Histories where a cursor names a record."""

    def history(self, most: int = 100) -> History:
        history = History(at(10), sqlite.unseen, most)
        for first in (11, 13, 15):
            history.add([record(first), record(first + 1, OTHER)], at(first + 1))
        return history

    @pytest.mark.parametrize(
        ("since", "told"),
        [(10, [11, 13, 15]), (11, [13, 15]), (12, [13, 15]), (14, [15]), (15, []), (16, [])],
    )
    def test_messages_behind_a_record_are_replayed(self, since: int, told: list[int]) -> None:
        """From the beginning of the history to its end."""
        assert numbers(self.history().since([TOPIC], at(since))) == told

    @pytest.mark.parametrize(
        "since", [at(9), at(17), at(13, life="x"), NOWHERE, Cursor("e13", "x")]
    )
    def test_a_cursor_of_an_unread_record_is_unknown(self, since: Cursor) -> None:
        """Older, newer, of another epoch, or invalid."""
        assert self.history().since([TOPIC], since) is None

    def test_several_topics_are_replayed_and_no_others(self) -> None:
        """A topic and its family."""
        history = self.history()

        assert numbers(history.since([TOPIC, OTHER], at(13))) == [15, 14, 16]
        assert history.since([Topic("list:7")], at(10)) == []

    def test_extra_is_not_kept(self) -> None:
        """It is for observers, which saw it when it arrived."""
        assert [m.extra for m in self.history().since([TOPIC], at(10)) or ()] == [None] * 3

    def test_the_oldest_are_forgotten(self) -> None:
        """By whole batches; a cursor from before them is unknown then."""
        history = self.history(most=4)

        assert history.since([TOPIC], at(11)) is None
        assert numbers(history.since([TOPIC], at(12))) == [13, 15]
        assert numbers(history.since([OTHER], at(12))) == [14, 16]

    def test_a_batch_that_is_too_large_leaves_nothing(self) -> None:
        """Only the position at its end."""
        history = self.history(most=1)

        assert history.since([TOPIC], at(15)) is None
        assert history.since([TOPIC], at(16)) == []


@dataclass
class World:
    """Transactions on a PostgreSQL that take ids, commit, and are read, in any order."""

    next: int = 100
    running: set[int] = field(default_factory=set)
    committed: set[int] = field(default_factory=set)
    read: set[int] = field(default_factory=set)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.next, tuple(sorted(self.running)))

    def cursor(self) -> Cursor:
        return Cursor("e", self.snapshot().short().offset)

    def begin(self) -> None:
        self.running.add(self.next)
        self.next += 1

    def commit(self, which: int) -> None:
        if self.running:
            done = sorted(self.running)[which % len(self.running)]
            self.running.remove(done)
            self.committed.add(done)

    def read_into(self, history: History) -> None:
        exact = Cursor("e", self.snapshot().offset)
        new = sorted(self.committed - self.read)
        history.add(
            [
                Record(NOWHERE, (Message(TOPIC, {"a.b": {str(xid): "updated"}}),), xid)
                for xid in new
            ],
            exact,
        )
        self.read |= self.committed


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "commit", "read", "ask"]), st.integers(0, 9)), max_size=60
)


class TestBySnapshot:
    """Histories where a cursor is a snapshot."""

    @given(before=steps, behind=steps, most=st.sampled_from([1, 3, 1_000]))
    def test_messages_that_are_not_replayed_are_still_to_come(
        self, before: list[tuple[str, int]], behind: list[tuple[str, int]], most: int
    ) -> None:
        """A message that a cursor does not see is replayed, or will be received, or is unknown."""
        world = World()
        given_out = self.run(world, before, None)
        world.read |= world.committed
        history = History(Cursor("e", world.snapshot().offset), postgres.unseen, most)
        given_out += self.run(world, behind, history)

        for cursor, seen in given_out:
            told = numbers(history.since([TOPIC], cursor))
            if told is not None:
                to_come = world.committed - world.read
                assert world.committed - seen <= {*told, *to_come}

    @given(behind=steps)
    def test_a_replay_holds_no_message_that_the_holder_has_seen(
        self, behind: list[tuple[str, int]]
    ) -> None:
        """A history that goes back far enough returns exactly the missed messages."""
        world = World()
        history = History(Cursor("e", world.snapshot().offset), postgres.unseen, 1_000)
        for cursor, seen in self.run(world, behind, history):
            told = numbers(history.since([TOPIC], cursor))
            if told is not None:
                assert not seen & set(told)

    def test_a_cursor_of_another_life_is_not_known(self) -> None:
        """Its numbers mean nothing in this epoch."""
        history = History(Cursor("e", "100"), postgres.unseen)

        assert history.since([TOPIC], Cursor("e", "100")) == []
        assert history.since([TOPIC], Cursor("x", "100")) is None
        assert history.since([TOPIC], Cursor("e", "garbage")) is None

    def run(
        self, world: World, steps: list[tuple[str, int]], history: History | None
    ) -> list[tuple[Cursor, set[int]]]:
        """Run steps; return the cursors given out, with what their holders had seen."""
        given_out = []
        for what, number in steps:
            if what == "begin":
                world.begin()
            elif what == "commit":
                world.commit(number)
            elif what == "read" and history:
                world.read_into(history)
            elif what == "ask":
                given_out.append((world.cursor(), set(world.committed)))
        return given_out
