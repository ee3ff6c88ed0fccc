"""Mailboxes are bounded, and lose nothing."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.mailbox import Mailbox
from realtime.messages import Message
from realtime.topics import Topic
from tests.realtime.strategies import messages

TOPICS = [Topic("list:1"), Topic("list:2"), Topic("list:3")]
MOST = 3


async def taken_now(mailbox: Mailbox) -> list[Message] | None:
    """Return what `take()` gives without waiting, None if it would wait."""
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    return None


class MailboxAgainstAModel(RuleBasedStateMachine):
    """The model: for each topic all that was put and not given out, and whether it is held."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.mailbox = Mailbox(MOST)
        self.open: dict[Topic, list[Message]] = {topic: [] for topic in TOPICS}
        self.held: dict[Topic, list[Message]] = {}

    def teardown(self) -> None:
        self.loop.close()

    @rule(message=st.sampled_from(TOPICS).flatmap(messages))
    def put(self, message: Message) -> None:
        self.mailbox.put(message)
        self.held.get(message.topic, self.open[message.topic]).append(message)

    @rule(topic=st.sampled_from(TOPICS))
    def hold(self, topic: Topic) -> None:
        self.mailbox.hold(topic)
        self.held.setdefault(topic, [])

    @rule(topic=st.sampled_from(TOPICS))
    def release(self, topic: Topic) -> None:
        self.mailbox.release(topic)
        self.open[topic] += self.held.pop(topic, [])

    @rule(topic=st.sampled_from(TOPICS))
    def discard(self, topic: Topic) -> None:
        self.mailbox.discard(topic)
        self.held.pop(topic, None)
        self.open[topic] = []

    @precondition(lambda self: not any(self.open.values()))
    @rule()
    def take_nothing(self) -> None:
        assert self.loop.run(taken_now(self.mailbox)) is None

    @precondition(lambda self: any(self.open.values()))
    @rule()
    def take(self) -> None:
        taken = self.loop.run(taken_now(self.mailbox))
        assert taken is not None
        by_topic = {message.topic: message for message in taken}
        assert len(by_topic) == len(taken)
        for topic, waiting in self.open.items():
            assert (topic in by_topic) == bool(waiting)
            if waiting:
                self.check(by_topic[topic], waiting)
        self.open = {topic: [] for topic in TOPICS}

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
        waiting = [*self.mailbox._waiting.values(), *self.mailbox._held.values()]
        assert len(waiting) <= 2 * len(TOPICS)
        for message in waiting:
            assert message is None or sum(map(len, message.changes.values())) <= MOST


TestMailboxAgainstAModel = MailboxAgainstAModel.TestCase


async def test_a_taker_waits_for_what_comes() -> None:
    """And is woken by it."""
    mailbox = Mailbox(10)
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.put(Message("list:1"))

    assert await asyncio.wait_for(taking, 5) == [Message("list:1")]


async def test_a_taker_is_woken_by_a_release() -> None:
    """What was held is news when it is held no more."""
    mailbox = Mailbox(10)
    mailbox.hold(TOPICS[0])
    mailbox.put(Message(TOPICS[0]))
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.release(TOPICS[0])

    assert await asyncio.wait_for(taking, 5) == [Message(TOPICS[0])]


async def test_a_taker_that_is_cancelled_takes_nothing_along() -> None:
    """The next one finds it all."""
    mailbox = Mailbox(10)
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    mailbox.put(Message("list:1"))

    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)

    assert await asyncio.wait_for(mailbox.take(), 5) == [Message("list:1")]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_more_rows_than_allowed_are_a_reset(pks: list[int]) -> None:
    """Rows are counted once however often they change."""
    mailbox = Mailbox(20)
    for pk in pks:
        mailbox.put(Message("list:1", {"a.b": {str(pk): "updated"}}))

    taken = asyncio.run(taken_now(mailbox))
    assert taken
    assert (taken[0].reset == "overflow") == (len(set(pks)) > 20)


@pytest.mark.parametrize("times", [1, 2])
async def test_holding_twice_holds_what_was_gathered(times: int) -> None:
    """A topic that is subscribed twice is held twice."""
    mailbox = Mailbox(10)
    mailbox.hold(TOPICS[0])
    mailbox.put(Message(TOPICS[0], reset="bulk"))
    for _ in range(times):
        mailbox.hold(TOPICS[0])

    mailbox.release(TOPICS[0])

    assert (await asyncio.wait_for(mailbox.take(), 5))[0].reset == "bulk"
