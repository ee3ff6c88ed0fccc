"""Cursors of Redis: the positions they hold, and the topics each is valid for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.backends.redis.config import config_of
from realtime.backends.redis.keys import PARTITIONS, Names, partition_of
from realtime.backends.redis.positions import ServerPosition, cursor_for, cursor_of, positions_of
from realtime.backends.redis.topic_state import TopicState
from realtime.backends.redis.topology import Address, Layout
from realtime.backends.redis.upstream import RedisUpstream
from realtime.messages.cursors import NOWHERE, Cursor
from realtime.messages.topics import Topic

ONE, OTHER = "a" * 10, "b" * 10
LIST, SEAT = Topic("list:5"), Topic("seat:7")

topics = st.sampled_from([Topic(f"list:{number}") for number in range(40)])
positions = st.builds(
    ServerPosition, st.sampled_from([ONE, OTHER]), st.integers(0, 1 << 50), st.integers(0, 1 << 50)
)


def of(cursor: Cursor, topic: Topic) -> dict[str, ServerPosition]:
    found = positions_of(Cursor.parse(str(cursor)))
    assert found is not None
    return dict(found.of(topic))


@given(stands=st.dictionaries(topics, positions, min_size=1))
def test_a_topic_is_given_no_position_but_its_own(stands: dict[Topic, ServerPosition]) -> None:
    """Or an older one, of another topic of its partition; none of other partitions."""
    cursor = cursor_for(stands)

    for topic, position in stands.items():
        (found,) = [each for each in of(cursor, topic).values() if each.server == position.server]
        assert position.is_behind(found)
    for topic in map(Topic, (f"seat:{number}" for number in range(20))):
        if partition_of(topic) not in map(partition_of, stands):
            assert of(cursor, topic) == {}


def test_a_position_is_valid_for_any_topic() -> None:
    """On each server."""
    one, other = ServerPosition(ONE, 5, 6), ServerPosition(OTHER, 7, 8)

    assert of(cursor_of([one, other]), LIST) == {ONE: one, OTHER: other}


def test_an_empty_cursor_proves_nothing() -> None:
    """A cursor without positions proves nothing."""
    assert cursor_for({}) == cursor_for({LIST: None}) == NOWHERE


def test_other_text_is_not_a_cursor() -> None:
    """Of another backend, or made up."""
    for offset in ("x", f"{ONE}-1", f"5~{ONE}-1-1", f"~{ONE}-1-1", f"{ONE}-1-1_"):
        assert positions_of(Cursor("redis1", offset)) is None
    assert positions_of(Cursor("layer", f"{ONE}-1-1")) is None


class UnconnectedNode:
    """A server without connections."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.partitions: frozenset[int] = frozenset()
        self.topics: set[Topic] = set()

    def add(self, watched: TopicState) -> None:
        self.topics.add(watched.topic)

    def remove(self, topic: Topic) -> None:
        self.topics.remove(topic)


async def test_a_topic_that_moves_has_no_position_until_its_new_server_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its waiting messages come first: its former server's positions are not valid for it."""
    upstream = RedisUpstream(config_of("redis://localhost", 1), Names("realtime"))
    addresses = Address("a", 1), Address("b", 1)
    nodes = {address: UnconnectedNode(address) for address in addresses}
    monkeypatch.setattr(upstream, "_nodes", nodes)
    upstream._watched = {LIST: TopicState(LIST, None)}
    owners = [*addresses] * (PARTITIONS // 2)
    owners[partition_of(LIST)] = addresses[0]
    upstream._apply(Layout(tuple(owners), {}))
    upstream._homes = {LIST: ONE}
    head = cursor_of([ServerPosition(ONE, 5, 6)])
    assert upstream.narrow(head, LIST) is not None

    owners[partition_of(LIST)] = addresses[1]
    upstream._apply(Layout(tuple(owners), {}))

    assert [node.topics for node in nodes.values()] == [set(), {LIST}]
    for heard in await asyncio.wait_for(upstream._inbox.take(), 30):
        assert list(upstream._take(heard)) == []
    assert upstream.narrow(head, LIST) is None


async def test_topics_of_two_servers_have_one_position_each() -> None:
    """A moved topic must not get its new server's position, which is behind missed messages."""
    upstream = RedisUpstream(config_of("redis://localhost", 1), Names("realtime"))
    one, other = ServerPosition(ONE, 5, 6), ServerPosition(OTHER, 7, 8)
    upstream._watched = {topic: TopicState(topic, None) for topic in (LIST, SEAT)}
    upstream._homes = {LIST: ONE, SEAT: OTHER}

    narrowed = upstream.narrow(cursor_of([one, other]), LIST, SEAT)

    assert narrowed is not None
    assert of(narrowed, LIST) == {ONE: one}
    assert of(narrowed, SEAT) == {OTHER: other}
    del upstream._homes[SEAT]
    assert upstream.narrow(cursor_of([one, other]), LIST, SEAT) is None
