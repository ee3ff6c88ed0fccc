"""Apply and undo each kind of fault."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

from tests.convergence.nemesis import FAULTS, Fault
from tests.convergence.processes import Process
from tests.convergence.proxy import Proxy
from tests.convergence.world import World

DELAY, LATE = 0.15, 1.5
MIDST_WITHIN = 120.0
"""Seconds within which a writer that was ordered to die must reach its next transaction."""
UNHEARD, UNHEARD_WITHIN, LOOKS_EVERY = 8, 120.0, 0.05
"""A writer's transactions while the broker hangs; the timeout in seconds; seconds between polls.

The messages of the first transaction are in the socket's buffer, from which the broker reads them
later. Those of the others wait in the writer."""


class Faults:
    """Applies a plan's faults. Two faults of the same process or proxy wait for each other."""

    def __init__(self, world: World, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.log: list[tuple[float, str]] = []
        self._world = world
        self._draw = Random(f"{seed}/faults")
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, plan: Sequence[Fault]) -> None:
        """Apply all of them, each at its time; return when all are undone."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for fault in plan:
                group.create_task(self._at_its_moment(fault, began))

    async def _at_its_moment(self, fault: Fault, began: float) -> None:
        await asyncio.sleep(began + fault.at - asyncio.get_running_loop().time())
        kind = FAULTS[fault.kind]
        async with self._locks[f"{kind.target} {fault.target}"]:
            self._note(f"{fault.kind} {fault.target} for {fault.lasts} s")
            await self._do(fault)
            self.done[fault.kind] += 1
            self._note(f"{fault.kind} {fault.target} is over")

    async def _do(self, fault: Fault) -> None:
        kind, lasts = fault.kind, fault.lasts
        match FAULTS[kind].target:
            case "clients":
                await self._disturb(kind, self._world.proxies[fault.target], lasts)
            case "database":
                await self._shake(kind, lasts)
            case "redis" | "publishers" | "cluster":
                await self._hit_redis(fault)
            case target:
                await self._hit(kind, self._world.processes[target][fault.target], lasts)

    async def _hit_redis(self, fault: Fault) -> None:
        redis = self._world.redis
        assert redis is not None
        match FAULTS[fault.kind].target:
            case "redis":
                await redis.hit(fault.kind, fault.target, fault.lasts)
            case "publishers":
                await redis.disturb_publishers(fault.lasts)
            case _:
                await redis.shake(fault.kind)

    async def _hit(self, kind: str, process: Process, lasts: float) -> None:
        match kind.partition(" ")[0]:
            case "kill":
                await (self._kill_unheard if FAULTS[kind].beside else self._kill)(process)
                await asyncio.sleep(lasts)
                await process.start()
            case "stop":
                process.signal(signal.SIGSTOP)
                await asyncio.sleep(lasts)
                process.signal(signal.SIGCONT)
            case "hold":
                process.order(f"hold {lasts}")
                await asyncio.sleep(lasts)

    async def _kill(self, process: Process) -> None:
        if process.kind == "writer":
            # A writer kills itself: only it knows when it is within a transaction.
            process.order("die")
            process.killed = True
            await process.ended(MIDST_WITHIN)
        process.kill()

    async def _kill_unheard(self, writer: Process) -> None:
        """Kill a writer whose messages the broker has not taken."""
        (broker,) = self._world.processes["broker"]
        async with self._locks["broker 0"]:
            await _until_wrote(writer, 1)
            broker.signal(signal.SIGSTOP)
            try:
                await _until_wrote(writer, UNHEARD)
                await self._kill(writer)
            finally:
                broker.signal(signal.SIGCONT)

    async def _disturb(self, kind: str, proxy: Proxy, lasts: float) -> None:
        match kind.partition(" ")[0]:
            case "cut":
                proxy.cut()
            case "refuse":
                proxy.refusing = True
                proxy.cut()
                await asyncio.sleep(lasts)
                proxy.refusing = False
            case "delay":
                await self._delay(proxy, lasts)
            case "stall":
                proxy.stall()
                await asyncio.sleep(lasts)
                if self._draw.random() < 0.5:
                    proxy.cut()
                proxy.flow()
            case "late":
                proxy.late = LATE
                await asyncio.sleep(lasts)
                proxy.late = 0.0

    async def _shake(self, kind: str, lasts: float) -> None:
        proxy = self._world.database_proxy
        assert proxy is not None
        match kind.partition(" ")[0]:
            case "restart" | "crash":
                await self._world.with_postgres("kill" if kind.startswith("crash") else "stop")
                await asyncio.sleep(lasts)
                await self._world.with_postgres("start")
            case "cut":
                proxy.cut()
            case "delay":
                await self._delay(proxy, lasts)

    async def _delay(self, proxy: Proxy, lasts: float) -> None:
        proxy.delay = DELAY
        await asyncio.sleep(lasts)
        proxy.delay = 0.0

    def _note(self, what: str) -> None:
        self.log.append((time.monotonic(), what))


async def _until_wrote(writer: Process, transactions: int) -> None:
    """Wait for so many further transactions of a writer; raise TimeoutError after a while."""
    before = writer.transactions()
    async with asyncio.timeout(UNHEARD_WITHIN):
        while writer.transactions() < before + transactions:
            await asyncio.sleep(LOOKS_EVERY)
