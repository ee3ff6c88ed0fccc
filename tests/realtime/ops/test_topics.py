"""The watched topics that a process reports."""

from __future__ import annotations

from realtime.messages.topics import Topic
from realtime.ops.topics import WatchedTopic, WatchedTopics, together, topics_here
from realtime.server import Server
from tests.realtime.hub.listening import LIST, OTHER, mailbox, within


async def test_topics_are_listed_with_their_subscribers(server: Server) -> None:
    """The ones with the most subscribers first."""
    for topic in (OTHER, LIST, LIST):
        await within(server.hub.subscribe(mailbox(), topic))

    found = topics_here(server)

    assert [(each.topic, each.subscribers) for each in found.topics] == [(LIST, 2), (OTHER, 1)]
    assert found.total == 2


async def test_a_limit_leaves_the_small_ones_off(server: Server) -> None:
    """The total number is reported all the same."""
    for topic in (OTHER, LIST, LIST):
        await within(server.hub.subscribe(mailbox(), topic))

    found = topics_here(server, limit=1)

    assert ([each.topic for each in found.topics], found.total) == ([LIST], 2)


async def test_reserved_topics_are_left_out(server: Server) -> None:
    """Also if they have subscribers."""
    await within(server.hub.subscribe(mailbox(), Topic("realtime:asked")))

    assert topics_here(server).total == 0


def test_subscribers_of_several_processes_are_summed() -> None:
    """The largest first."""
    one = WatchedTopics("a:1", 2, [WatchedTopic("list:5", 3), WatchedTopic("list:6", 2)])
    two = WatchedTopics("b:2", 1, [WatchedTopic("list:6", 4)])

    assert together([one, two]) == [WatchedTopic("list:6", 6), WatchedTopic("list:5", 3)]
