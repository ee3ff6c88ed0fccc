"""Mailboxes are bounded, and lose no message."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.hub.mailbox import Mailbox
from realtime.messages.merge import size
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tests.realtime.strategies import messages

TOPICS = [Topic("list:1"), Topic("list:2"), Topic("list:3")]
MOST, MOST_IN_ALL = 3, 5


async def taken_now(mailbox: Mailbox) -> list[Message] | None:
    """Return what `take()` returns without waiting, None if it would wait."""
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    return None


class MailboxAgainstAModel(RuleBasedStateMachine):
    """The model: for each topic the rows put and not taken, and which are held."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox(MOST, MOST_IN_ALL)
        self.waiting: dict[Topic, list[Message]] = {}
        self.held: set[Topic] = set()

    @property
    def free(self) -> set[Topic]:
        return {topic for topic in self.waiting if topic not in self.held}

    @rule(message=st.sampled_from(TOPICS).flatmap(messages))
    def put(self, message: Message) -> None:
        self.mailbox.put(message)
        self.waiting.setdefault(message.topic, []).append(message)

    @rule(topic=st.sampled_from(TOPICS))
    def hold(self, topic: Topic) -> None:
        self.mailbox.hold(topic)
        self.held.add(topic)

    @rule(topic=st.sampled_from(TOPICS))
    def release(self, topic: Topic) -> None:
        self.mailbox.release(topic)
        self.held.discard(topic)

    @rule(topic=st.sampled_from(TOPICS))
    def discard(self, topic: Topic) -> None:
        self.mailbox.discard(topic)
        self.waiting.pop(topic, None)

    @precondition(lambda self: not self.free)
    @rule()
    def take_nothing(self) -> None:
        assert self.mailbox.take_now() == []

    @precondition(lambda self: self.free)
    @rule()
    def take(self) -> None:
        taken = self.mailbox.take_now()
        by_topic = {message.topic: message for message in taken}
        assert len(by_topic) == len(taken)
        assert by_topic.keys() == self.free
        for topic, told in by_topic.items():
            self.check(told, self.waiting.pop(topic))

    def check(self, told: Message, waiting: list[Message]) -> None:
        """Every row that waited is named, or the whole topic is reset."""
        cursors = [message.cursor for message in waiting if message.cursor]
        assert told.cursor == (cursors[-1] if cursors else None)
        if told.reset is None:
            assert not any(message.reset for message in waiting)
            for message in waiting:
                for label, rows in message.changes.items():
                    assert rows.keys() <= told.changes[label].keys()

    @invariant()
    def it_is_bounded(self) -> None:
        waiting = self.mailbox._waiting.values()
        assert len(waiting) <= len(TOPICS)
        rows = [size(message) for message in waiting]
        assert max(rows, default=0) <= MOST
        assert sum(rows) == self.mailbox.rows <= MOST_IN_ALL


TestMailboxAgainstAModel = MailboxAgainstAModel.TestCase


async def test_a_taker_waits_for_what_comes() -> None:
    """The message wakes it."""
    mailbox = Mailbox(10)
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.put(Message("list:1"))

    assert await asyncio.wait_for(taking, 30) == [Message("list:1")]


async def test_a_taker_is_woken_by_a_release() -> None:
    """A held message can be taken once it is released."""
    mailbox = Mailbox(10)
    mailbox.hold(TOPICS[0])
    mailbox.put(Message(TOPICS[0]))
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.release(TOPICS[0])

    assert await asyncio.wait_for(taking, 30) == [Message(TOPICS[0])]


async def test_a_taker_that_is_cancelled_takes_nothing_along() -> None:
    """The next taker gets all messages."""
    mailbox = Mailbox(10)
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    mailbox.put(Message("list:1"))

    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)

    assert await asyncio.wait_for(mailbox.take(), 30) == [Message("list:1")]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_more_rows_than_allowed_are_a_reset(pks: list[int]) -> None:
    """A row counts once however often it changes."""
    mailbox = Mailbox(20)
    for pk in pks:
        mailbox.put(Message("list:1", {"a.b": {str(pk): "updated"}}))

    taken = asyncio.run(taken_now(mailbox))
    assert taken
    assert (taken[0].reset == "overflow") == (len(set(pks)) > 20)


async def test_a_discard_drops_what_waits_and_not_the_hold() -> None:
    """The hub may discard late, when another subscription to the topic holds it already."""
    mailbox = Mailbox(10)
    mailbox.hold(TOPICS[0])
    mailbox.put(Message(TOPICS[0], reset="bulk"))

    mailbox.discard(TOPICS[0])
    mailbox.put(Message(TOPICS[0], reset="raw-sql"))
    assert mailbox.take_now() == []
    mailbox.release(TOPICS[0])

    assert (await asyncio.wait_for(mailbox.take(), 30))[0].reset == "raw-sql"


def test_a_taker_is_woken_for_messages_that_may_be_taken() -> None:
    """And not for held messages."""
    woken: list[int] = []
    mailbox = Mailbox(10, woken=lambda: woken.append(len(mailbox)))
    mailbox.hold(TOPICS[0])

    mailbox.put(Message(TOPICS[0]))
    assert woken == []
    mailbox.put(Message(TOPICS[1]))
    mailbox.release(TOPICS[0])

    assert woken == [2, 2]


def test_a_mailbox_with_too_much_of_everything_resets_what_comes() -> None:
    """Many topics with few rows each use memory too."""
    mailbox = Mailbox(3, 4)
    for topic in TOPICS:
        mailbox.put(Message(topic, {"a.b": {"1": "left", "2": "left"}}))

    taken = mailbox.take_now()

    assert [message.reset for message in taken] == [None, None, "overflow"]
    assert mailbox.rows == 0


def test_mailboxes_that_wait_together_hold_the_same_message() -> None:
    """Messages for a thousand slow clients are merged once, and kept once."""
    boxes = [Mailbox(10) for _ in range(3)]
    for pk in ("1", "2", "3"):
        message = Message(TOPICS[0], {"a.b": {pk: "left"}})
        for box in boxes:
            box.put(message)

    taken = [box.take_now() for box in boxes]

    assert taken[0][0] is taken[1][0] is taken[2][0]
    assert taken[0][0].changes == {"a.b": {"1": "left", "2": "left", "3": "left"}}
