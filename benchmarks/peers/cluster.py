"""A Redis cluster: how load spreads over nodes, how a flood and a lost node affect other rooms."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.workers import Worker, workers
from benchmarks.report import percentile, table
from tools.redis_servers import RedisCluster, RedisServer

ROOMS, MESSAGES = 600, 24_000
"""Rooms, and messages sent to the rooms in turns."""

QUIET_MESSAGES, QUIET_RATE = 2_000, 200
"""Messages to a quiet room, and their number a second."""

FLOOD = 1_000_000
ROUNDS = 3
RESET_WITHIN = 30.0


def run() -> str:
    """Measure and return three tables."""
    return f"{_spread()}\n\n{_flooded()}\n\n{asyncio.run(_lost())}"


def _spread() -> str:
    rows = []
    for count in (1, 2, 3, 6):
        with RedisCluster(primaries=count, replicas=0) as cluster:
            url = ",".join(cluster.urls)
            listener = Worker("redis", url, "listen", 0, ROOMS, MESSAGES)
            sender = Worker("redis", url, "send", 0, ROOMS, MESSAGES)
            with workers(listener, sender):
                before = [_published(server) for server in cluster.servers]
                sender.go()
                arrived = len(listener.read()["ways"])
                each = [
                    _published(server) - was
                    for server, was in zip(cluster.servers, before, strict=True)
                ]
                bus = sum(_over_the_bus(server) for server in cluster.servers)
        share = max(each) / MESSAGES
        rows.append([count, f"{statistics.mean(each):,.0f}", f"{max(each):,}", f"{share:.0%}"])
        rows[-1] += [f"{arrived / MESSAGES:.1%}", bus]
    header = ["nodes", "messages a node", "most on one", "of all", "arrived", "from node to node"]
    return table(header, rows)


def _flooded() -> str:
    """Flood one room on a core that its node shares; measure a room on the other core."""
    found: dict[str, list[float]] = {"nothing": [], "another node": [], "the same node": []}
    with RedisCluster(primaries=3, replicas=0) as cluster:
        rooms = _rooms(cluster)
        quiet, other = (rooms[server.port][0] for server in cluster.servers[:2])
        same = rooms[cluster.servers[0].port][1]
        for server, core in zip(cluster.servers, (0, 1, 0), strict=True):
            _pin(server, core)
        for _ in range(ROUNDS):
            found["nothing"].append(_quiet_p99(cluster, quiet, None))
            found["another node"].append(_quiet_p99(cluster, quiet, other))
            found["the same node"].append(_quiet_p99(cluster, quiet, same))
    usual = statistics.median(found["nothing"])
    rows = [
        [what, f"{statistics.median(each):.2f}", f"{statistics.median(each) / usual:.2f}"]
        for what, each in found.items()
    ]
    return table(["flooded", "p99 ms of a quiet room", "ratio"], rows)


def _quiet_p99(cluster: RedisCluster, quiet: int, flooded: int | None) -> float:
    url = ",".join(cluster.urls)
    made = [
        Worker("redis", url, "listen", quiet, 1, QUIET_MESSAGES, cores=[0]),
        Worker("redis", url, "send", quiet, 1, QUIET_MESSAGES, QUIET_RATE, cores=[0]),
    ]
    if flooded is not None:
        made.append(Worker("redis", url, "listen", flooded, 1, FLOOD, cores=[1]))
        made.append(Worker("redis", url, "send", flooded, 1, FLOOD, cores=[1]))
    with workers(*made):
        for sender in reversed(made[1::2]):
            sender.go()
        ways = made[0].read()["ways"]
    return percentile(ways[QUIET_MESSAGES // 10 :], 99)


async def _lost() -> str:
    """Kill a primary under a hub that watches rooms on all of them."""
    from asgiref.sync import sync_to_async

    from realtime.backends.redis import RedisPubSub
    from realtime.hub.hub import Hub
    from realtime.hub.mailbox import Mailbox
    from realtime.messages.message import Message
    from realtime.messages.topics import Topic

    with RedisCluster("--cluster-require-full-coverage", "no") as cluster:
        pubsub = RedisPubSub(cluster.urls)
        victim = cluster.primaries[0]
        family = next(f for f in map("room{}".format, range(99)) if _owner(cluster, f) != victim)
        topics = [Topic.of(family, number) for number in range(ROOMS)]
        held = {topic for topic in topics if _owner(cluster, str(topic)) == victim}
        hub, boxes = Hub(pubsub), {topic: Mailbox(1_000) for topic in topics}
        try:
            await asyncio.gather(*(hub.subscribe(boxes[topic], topic) for topic in topics))
            victim.kill()
            killed = time.monotonic()
            told: dict[Topic, str | None] = {}
            for topic in sorted(held):
                (message,) = await asyncio.wait_for(boxes[topic].take(), RESET_WITHIN)
                told[topic] = message.reset
            back = time.monotonic() - killed
            rows = [Message(topic, {"bench.row": {"1": "updated"}}) for topic in topics]
            await sync_to_async(pubsub.send)(rows)
            received = 0
            for topic in topics:
                message = (await asyncio.wait_for(boxes[topic].take(), RESET_WITHIN))[-1]
                received += bool(message.changes)
                if topic not in held:
                    told[topic] = message.reset
        finally:
            await hub.close()
    reset = {topic for topic, reason in told.items() if reason}
    header = ["rooms", "on the primary killed", "of them reset", "others reset"]
    row = [ROOMS, len(held), len(held & reset), len(reset - held), f"{back:.1f}", received]
    return table([*header, "seconds until the last reset", "rooms that receive again"], [row])


def _owner(cluster: RedisCluster, topic: str) -> RedisServer:
    """Return the primary that holds a topic; a family's name stands for the family."""
    from realtime.backends.redis.keys import partition_of, slot_of
    from realtime.messages.topics import Topic

    slot = slot_of(partition_of(Topic(topic if ":" in topic else f"{topic}:")))
    count = len(cluster.primaries)
    shares = [n * 16384 // count for n in range(1, count + 1)]
    return cluster.primaries[next(n for n, end in enumerate(shares) if slot < end)]


def _rooms(cluster: RedisCluster) -> dict[int, Sequence[int]]:
    """Return the numbers of some rooms by the port of the primary that holds them."""
    found: dict[int, list[int]] = {server.port: [] for server in cluster.primaries}
    for number in range(100):
        found[_owner(cluster, f"room:{number}").port].append(number)
    return found


def _pin(server: RedisServer, core: int) -> None:
    for thread in Path(f"/proc/{server.pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _published(server: RedisServer) -> int:
    stats = server.ask("INFO", "commandstats")
    return int(stats.get("cmdstat_spublish", {}).get("calls", 0))


def _over_the_bus(server: RedisServer) -> int:
    """Return how many messages this node has passed on to other nodes."""
    info = server.ask("CLUSTER INFO")
    names = ("publish", "publishshard")
    return sum(int(info.get(f"cluster_stats_messages_{name}_sent", 0)) for name in names)
