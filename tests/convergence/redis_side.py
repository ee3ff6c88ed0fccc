"""The Redis server or cluster of a round, and its faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeVar

from redis.exceptions import RedisError

from realtime.backends.redis.keys import PARTITIONS, slot_of
from tests.convergence.proxy import Proxy
from tools.redis_servers import RedisCluster, RedisServer

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds within which a cluster must be able to execute a command."""

ANSWER_WITHIN = 2.0


class RedisSide:
    """A server or a cluster. Owner: an event loop; one thread starts and asks its servers."""

    def __init__(self, kind: str, folder: Path, seed: int) -> None:
        self._kind = kind
        self._draw = Random(f"{seed}/redis")
        # Linux ends a server with the thread that started it, so that thread must stay.
        self._keeper = ThreadPoolExecutor(1)
        self._socket = folder / "redis.sock"
        self._cluster: RedisCluster | None = None
        self.servers: list[RedisServer] = []
        self._moving: set[int] = set()
        self.proxy: Proxy | None = None
        """The proxy between writers and a single server; a cluster has none."""

    async def start(self) -> None:
        """Start the servers, and the writers' proxy."""
        if self._kind == "cluster":
            self._cluster = RedisCluster()
            self.servers = self._cluster.servers
            await self._call(self._cluster.__enter__)
        else:
            self.servers = [RedisServer("--unixsocket", str(self._socket))]
            await self._call(self.servers[0].start)
            self.proxy = Proxy(self._socket, Random("redis"))
            self._port = await self.proxy.start()

    async def stop(self) -> None:
        """End the servers and delete their data."""
        if self.proxy is not None:
            await self.proxy.close()
        for server in self.servers:
            await self._call(server.__exit__)
        self._keeper.shutdown()

    @property
    def urls(self) -> list[str]:
        """The URLs for web servers."""
        return [server.url for server in self.servers]

    @property
    def urls_of_writers(self) -> list[str]:
        """The URLs for writers: through the proxy if there is one."""
        return [f"redis://127.0.0.1:{self._port}/0"] if self.proxy else self.urls

    @property
    def targets(self) -> dict[str, int]:
        """Kind of target -> number of targets, for the plan of faults."""
        return {
            "redis": len(self.servers),
            "publishers": int(self.proxy is not None),
            "cluster": int(self._cluster is not None),
        }

    async def hit(self, kind: str, number: int, lasts: float) -> None:
        """Apply a fault to one server, and undo it."""
        server = self.servers[number]
        match kind:
            case "kill redis":
                await self._call(server.kill)
                await asyncio.sleep(lasts)
                await self._call(server.start)
            case "stop redis":
                server.freeze()
                await asyncio.sleep(lasts)
                server.thaw()
            case "flush redis":
                await self._until_done(kind, lambda: self._flush(number))
            case "forget scripts":
                await self._tell(server, "SCRIPT FLUSH")
            case "cut redis":
                await self._tell(server, "CLIENT KILL", "TYPE", "pubsub")
                await self._tell(server, "CLIENT KILL", "TYPE", "normal")
            case "overflow redis":
                await self._limit(server, "1 1 0")
                await asyncio.sleep(lasts)
                await self._limit(server, "32mb 8mb 60")

    async def disturb_publishers(self, lasts: float) -> None:
        """Cut off only the writers."""
        assert self.proxy is not None
        self.proxy.refusing = True
        self.proxy.cut()
        await asyncio.sleep(lasts)
        self.proxy.refusing = False

    async def shake(self, kind: str) -> None:
        """Apply a fault to the cluster, as soon as the cluster is able to."""
        what = {"fail over": self._fail_over, "move slots": self._move_slots}[kind]
        await self._until_done(kind, what)

    async def heal(self) -> None:
        """Repair a cluster, as an administrator does; raise RuntimeError if that fails."""
        if self._cluster is None:
            return
        await self._until_done("serve all slots again", self._healed)

    def _nodes(self) -> object:
        """Return each server's view of the cluster."""
        return [server.ask("CLUSTER NODES", timeout=ANSWER_WITHIN) for server in self._shuffled()]

    def _healed(self) -> bool:
        """Assign slots that an interrupted move left without an owner; True if all is well."""
        with suppress(RedisError, RuntimeError, StopIteration):
            infos = [server.ask("CLUSTER INFO", timeout=ANSWER_WITHIN) for server in self.servers]
            if all(info["cluster_state"] == "ok" for info in infos):
                return True
            self._stabilise()
            primaries = self._primaries()
            owned = list(map(slot_of, range(PARTITIONS)))
            free = [s for s in set(owned) if not any(holds(s) for holds in primaries.values())]
            if free:
                next(iter(primaries)).ask("CLUSTER ADDSLOTS", *free, timeout=ANSWER_WITHIN)
                print(f"healed: {len(free)} slots had no owner", flush=True)
        return False

    async def _until_done(self, kind: str, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await self._call(what):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"Redis was never able to {kind}: {await self._call(self._nodes)}"
                )
            await asyncio.sleep(0.2)

    def _flush(self, number: int) -> bool:
        """Flush a primary, if possible the one with that number; return whether one was flushed."""
        for server in self.servers[number:] + self.servers[:number]:
            with suppress(RedisError):
                if server.ask("ROLE", timeout=ANSWER_WITHIN)[0] == "master":
                    return bool(server.ask("FLUSHALL", timeout=ANSWER_WITHIN))
        return False

    async def _limit(self, server: RedisServer, what: str) -> None:
        """Set the output buffer above which Redis closes a subscriber's connection."""
        await self._tell(server, "CONFIG SET", "client-output-buffer-limit", f"pubsub {what}")

    async def _tell(self, server: RedisServer, *command: object) -> None:
        await self._call(lambda: server.ask(*command, timeout=ANSWER_WITHIN))

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._keeper, function)

    def _fail_over(self) -> bool:
        """Let a replica take over from its primary in a planned failover; return whether it did."""
        for server in self._shuffled():
            with suppress(RedisError, RuntimeError):
                info = server.ask("INFO", "replication", timeout=ANSWER_WITHIN)
                if info["role"] == "slave" and info["master_link_status"] == "up":
                    return server.ask("CLUSTER FAILOVER", timeout=ANSWER_WITHIN) in ("OK", True)
        return False

    def _move_slots(self) -> bool:
        """Move some partitions with their data to another primary; return whether that worked."""
        with suppress(RedisError, RuntimeError, StopIteration):
            self._stabilise()
            primaries = self._primaries()
            source, target = self._draw.sample(list(primaries), 2)
            owned = [slot_of(number) for number in range(PARTITIONS)]
            slots = [slot for slot in owned if primaries[source](slot)]
            for slot in self._draw.sample(slots, min(3, len(slots))):
                self._move(slot, source, target, list(primaries))
            return bool(slots)
        return False

    def _move(
        self, slot: int, source: RedisServer, target: RedisServer, primaries: list[RedisServer]
    ) -> None:
        ids = {server: server.ask("CLUSTER MYID", timeout=ANSWER_WITHIN) for server in primaries}
        self._moving.add(slot)
        target.ask("CLUSTER SETSLOT", slot, "IMPORTING", ids[source], timeout=ANSWER_WITHIN)
        source.ask("CLUSTER SETSLOT", slot, "MIGRATING", ids[target], timeout=ANSWER_WITHIN)
        while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, 100, timeout=ANSWER_WITHIN):
            where = ("127.0.0.1", target.port, "", 0, 2_000, "REPLACE", "KEYS")
            source.ask("MIGRATE", *where, *keys, timeout=ANSWER_WITHIN)
        for server in (target, source, *primaries):
            server.ask("CLUSTER SETSLOT", slot, "NODE", ids[target], timeout=ANSWER_WITHIN)
        self._moving.discard(slot)

    def _stabilise(self) -> None:
        """Abort interrupted moves, as an administrator would; the keys moved already are lost."""
        for slot in list(self._moving):
            for server in self._primaries():
                server.ask("CLUSTER SETSLOT", slot, "STABLE", timeout=ANSWER_WITHIN)
            self._moving.discard(slot)

    def _primaries(self) -> dict[RedisServer, Callable[[int], bool]]:
        """Return primary -> does it own a slot, in the view of one server."""
        by_port = {server.port: server for server in self.servers}
        shares = next(iter(self._shuffled())).ask("CLUSTER SLOTS", timeout=ANSWER_WITHIN)
        owned: dict[RedisServer, list[range]] = {}
        for first, last, owner, *_ in shares:
            owned.setdefault(by_port[owner[1]], []).append(range(first, last + 1))
        return {
            server: lambda slot, shares=tuple(shares): any(slot in share for share in shares)
            for server, shares in owned.items()
        }

    def _shuffled(self) -> list[RedisServer]:
        running = [server for server in self.servers if server.runs]
        self._draw.shuffle(running)
        return running
