"""What a process says of the topics that are watched there."""

from __future__ import annotations

import pytest

from realtime import rates
from realtime.backends.memory import MemoryPubSub
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from realtime.ops.topics import WatchedTopic, WatchedTopics, together, topics_here
from realtime.rates import Rates
from realtime.server import Server
from tests.realtime.hub.listening import FAMILY, LIST, OTHER, mailbox, row, send, taken, within


async def test_topics_are_listed_with_their_subscribers(server: Server) -> None:
    """Those first that most watch."""
    for topic in (OTHER, LIST, LIST):
        await within(server.hub.subscribe(mailbox(), topic))

    found = topics_here(server)

    assert [(each.topic, each.subscribers) for each in found.topics] == [(LIST, 2), (OTHER, 1)]
    assert found.total == 2


async def test_a_limit_leaves_the_small_ones_off(server: Server) -> None:
    """How many there are is said all the same."""
    for topic in (OTHER, LIST, LIST):
        await within(server.hub.subscribe(mailbox(), topic))

    found = topics_here(server, limit=1)

    assert ([each.topic for each in found.topics], found.total) == ([LIST], 2)


async def test_how_processes_speak_is_left_out(server: Server) -> None:
    """Also where somebody listens to that by hand."""
    await within(server.hub.subscribe(mailbox(), Topic("realtime:asked")))

    assert topics_here(server).total == 0


async def test_messages_are_counted_by_topic(server: Server, pubsub: MemoryPubSub) -> None:
    """A reset of the family counts for each topic of it."""
    box, other = mailbox(), mailbox()
    await within(server.hub.subscribe(box, LIST))
    await within(server.hub.subscribe(other, OTHER))

    for message in (row(LIST, 1), row(LIST, 2), Message(FAMILY, reset=Reset.BULK)):
        send(pubsub, message)
        await taken(box)

    found = {each.topic: each.a_minute for each in topics_here(server).topics}
    assert found == {LIST: pytest.approx(3, abs=0.1), OTHER: pytest.approx(1, abs=0.1)}


async def test_of_a_topic_that_nobody_watches_nothing_is_kept(
    server: Server, pubsub: MemoryPubSub
) -> None:
    """However many come and go."""
    box = mailbox()
    await within(server.hub.subscribe(box, LIST))
    send(pubsub, row(LIST, 1))
    await taken(box)

    await within(server.hub.unsubscribe(box, LIST))

    assert server.hub.messages_a_minute(LIST) == 0


def test_the_last_minute_is_guessed_from_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before counts by the part of it that is not longer ago."""
    now = 1_000.0
    monkeypatch.setattr(rates, "monotonic", lambda: now)
    counted = Rates()
    for _ in range(40):
        counted.count(LIST)

    now += 75
    counted.turn()
    counted.count(LIST)
    assert counted.of(LIST) == pytest.approx(1 + 40 * 0.75)

    now += 130
    assert counted.of(LIST) == 0


def test_those_of_several_processes_are_added_up() -> None:
    """Each of them hears the same messages."""
    one = WatchedTopics("a:1", 2, [WatchedTopic("list:5", 3, 7), WatchedTopic("list:6", 2, 0)])
    two = WatchedTopics("b:2", 1, [WatchedTopic("list:6", 4, 1)])

    assert together([one, two]) == [WatchedTopic("list:6", 6, 1), WatchedTopic("list:5", 3, 7)]
