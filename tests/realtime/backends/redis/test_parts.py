"""A part of a cluster that is away affects only its own topics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from asgiref.sync import sync_to_async

from realtime.backends.redis import RedisPubSub
from realtime.backends.redis.keys import partition_of
from realtime.hub.mailbox import Mailbox
from realtime.hub.observers import Observers
from realtime.messages.message import Message, Reset
from realtime.messages.topics import Topic
from tests.realtime.hub.listening import mailbox, row, running, taken, within
from tools.redis_servers import RedisCluster

pytestmark = [pytest.mark.sqlite, pytest.mark.long]


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    # Otherwise all servers refuse to answer while one is away.
    with RedisCluster("--cluster-require-full-coverage", "no") as cluster:
        yield cluster


@pytest.fixture
def pubsub(cluster: RedisCluster) -> RedisPubSub:
    return RedisPubSub(cluster.urls, timeout=0.5)


@pytest.fixture
def topics(pubsub: RedisPubSub, cluster: RedisCluster) -> tuple[Topic, Topic]:
    """Return a topic of the first primary, and one of the others; with their families."""
    owners = pubsub._servers.layout().owners
    first = cluster.primaries[0].port

    def is_held(topic: Topic) -> bool:
        owner = owners[partition_of(topic)]
        return owner is not None and owner.port == first

    families = [f"list{number}" for number in range(1_000)]
    held = next(f for f in families if is_held(Topic(f"{f}:5")) and is_held(Topic(f"{f}:")))
    free = next(f for f in families if not is_held(Topic(f"{f}:5")) and not is_held(Topic(f"{f}:")))
    return Topic(f"{held}:5"), Topic(f"{free}:5")


@contextmanager
def away(cluster: RedisCluster) -> Iterator[None]:
    """Let the first primary and its replica hang, so that no server takes its place."""
    primary = cluster.primaries[0]
    (replica,) = [
        server
        for server in cluster.servers[len(cluster.primaries) :]
        if server.ask("INFO", "replication")["master_port"] == primary.port
    ]
    for server in (primary, replica):
        server.freeze()
    try:
        yield
    finally:
        for server in (primary, replica):
            server.thaw()


async def assert_hears(cluster: RedisCluster, box: Mailbox, topic: Topic) -> None:
    """Send messages until one arrives; after a failover a reset may arrive in its place."""
    told: list[Message] = []
    while not any(message.changes for message in told):
        # Through a new instance, which has no pause after a server's failure.
        await sync_to_async(RedisPubSub(cluster.urls).send)([row(topic, 1)])
        told = await taken(box)


async def test_a_process_begins_without_it(
    cluster: RedisCluster, pubsub: RedisPubSub, topics: tuple[Topic, Topic]
) -> None:
    """A client of its topics waits; others are served."""
    held, free = topics
    box, other = mailbox(), mailbox()
    observed = mock.patch.object(Observers, "topics", return_value=frozenset({held}))
    async with running(pubsub) as hub:
        with observed, away(cluster):
            subscribing = asyncio.create_task(hub.subscribe(other, held))
            await within(hub.subscribe(box, free))
            await assert_hears(cluster, box, free)
            assert not subscribing.done()
        await within(subscribing)
        await assert_hears(cluster, other, held)


async def test_a_connection_that_is_lost_meanwhile_is_the_others_again_soon(
    cluster: RedisCluster, pubsub: RedisPubSub, topics: tuple[Topic, Topic]
) -> None:
    """They are reset and receive messages; its own topics are reset when it is back."""
    held, free = topics
    box, other = mailbox(), mailbox()
    async with running(pubsub) as hub:
        await within(hub.subscribe(box, free))
        await within(hub.subscribe(other, held))
        with away(cluster):
            assert hub._upstream is not None
            hub._upstream._lose("a test says so")  # type: ignore[attr-defined]

            assert [message.reset for message in await taken(box)] == [Reset.BACKEND_RESTART]
            await assert_hears(cluster, box, free)
        assert [message.reset for message in await taken(other)] == [Reset.BACKEND_RESTART]
        await assert_hears(cluster, other, held)
