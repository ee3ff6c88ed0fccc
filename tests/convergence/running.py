"""Run a round: writes with faults, then quiet, then compare every client with the database."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.convergence.crowd import FAULTLESS_PACE, PACE, Crowd
from tests.convergence.faults import Faults
from tests.convergence.judging import (
    Commits,
    Truth,
    differences,
    portrait,
    read_commits,
    repeats,
)
from tests.convergence.nemesis import Fault, plan
from tests.convergence.node_crowd import Client
from tests.convergence.report import Report
from tests.convergence.sabotage import CLIENT_SABOTAGES, STATIC, patched_static
from tests.convergence.world import World

if TYPE_CHECKING:
    from tests.convergence.rounds import Round

STOPPED_WITHIN = 120.0
ENOUGH_WITHIN, LOOKS_EVERY = 120.0, 0.2
"""Seconds after a round's own time to wait for its minimum of commits, and between polls."""

NO_ROW = ("", "", "")
"""Stands for the sentinel while it is not written."""


class Running:
    """Runs one round. `Round` checks the numbers of the report that `run()` returns."""

    def __init__(self, wanted: Round, world: World) -> None:
        self._wanted = wanted
        self._pace = FAULTLESS_PACE if wanted.faultless else PACE
        self._world = world
        self._faults = Faults(world, wanted.seed)
        self._began = time.monotonic()
        self._problems: list[str] = []

    async def run(self) -> Report:
        """Run it and return the report."""
        wanted, world = self._wanted, self._world
        planned = plan(wanted.seed, wanted.seconds, world.targets, wanted.least, wanted.only)
        faults = [] if wanted.faultless else planned
        choice = await world.command("choice")
        crowd = Crowd(
            wanted.seed,
            world.size.clients,
            choice["topics"],
            choice["viewers"],
            ports=world.ports,
            folder=world.folder,
            static=self._static(),
            pace=self._pace,
        )
        try:
            await self._disturb(crowd, faults)
            report = await self._judge(crowd)
        finally:
            await crowd.end()
        report.plan = [fault.as_json() for fault in faults]
        report.problems = self._problems
        return report

    def _static(self) -> Path:
        """Return the folder of the client's source: a patched copy if the client is sabotaged."""
        patches = CLIENT_SABOTAGES.get(self._wanted.sabotage)
        return patched_static(self._world.folder / "static", patches) if patches else STATIC

    async def _disturb(self, crowd: Crowd, faults: Sequence[Fault]) -> None:
        """Write and apply faults for the given time; return when all faults and writes ended."""
        writers = self._world.processes["writer"]
        for writer in writers:
            await writer.start()
        await crowd.start()
        self._began = time.monotonic()
        over = asyncio.create_task(asyncio.sleep(self._wanted.seconds))
        await self._faults.run(faults)
        if self._world.redis is not None:
            await self._world.redis.heal()
        await over
        await self._until_enough()
        for writer in writers:
            writer.order("stop")
        for writer in writers:
            if await writer.ended(STOPPED_WITHIN) != 0:
                self._problems.append(f"{writer.name} did not end well; see {writer.log}")
        await crowd.settle()

    async def _until_enough(self) -> None:
        """Let writers on a slow machine go on until they have the minimum of commits."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ENOUGH_WITHIN):
                while self._commits(NO_ROW).number < self._wanted.least_commits:
                    await asyncio.sleep(LOOKS_EVERY)

    def _commits(self, last: tuple[str, str, str]) -> Commits:
        return read_commits(self._world.folder.glob("*.commits"), last)

    async def _judge(self, crowd: Crowd) -> Report:
        """Wait until all clients have settled, then compare them with the database."""
        began = time.monotonic()
        # A client that has not reconnected since the faults must receive this too.
        await self._world.command("close")
        if left := await self._world.command("deliver"):
            self._problems.append(f"{left} records are left in the outbox")
        await crowd.wake()
        sentinel = await self._world.command("sentinel")
        truth = Truth.read(await self._world.command("truth"))
        quiet_within = self._wanted.quiet_within * self._pace / PACE
        if not await crowd.wait(lambda: not crowd.restless(sentinel, truth), quiet_within):
            names = ", ".join(client.name for client in crowd.restless(sentinel, truth))
            self._problems.append(f"not quiet within {quiet_within:.0f} s: {names}")
        quiet_seconds = time.monotonic() - began
        for process in self._world.every_process():
            if process.kind != "writer" and not process.running:
                self._problems.append(f"{process.name} ended by itself; see {process.log}")
        early = stale(crowd, truth)
        # A denied client asks again after a pause, and learns by the answer that it may watch.
        await crowd.wait(
            lambda: not stale(crowd, truth) and not crowd.unaware(truth), self._wanted.patience
        )
        await crowd.tell()
        return self._report(crowd, sentinel, quiet_seconds, truth, early)

    def _report(
        self,
        crowd: Crowd,
        sentinel: str,
        quiet_seconds: float,
        truth: Truth,
        early: Sequence[Client],
    ) -> Report:
        wanted, counts, found = self._wanted, crowd.counts(), stale(crowd, truth)
        late = [client for client in early if client not in found]
        silent = [client for client in found if client.settled]
        ignorant = crowd.unaware(truth)
        lists = {
            "stale": found,
            "stale, and claim to be up to date": silent,
            "corrected after they had settled": late,
            "wrong about what is denied to them": ignorant,
        }
        for what, clients in lists.items():
            if clients:
                self._problems.append(f"{what}: {', '.join(client.name for client in clients)}")
        strange = [*found, *late, *crowd.restless(sentinel, truth), *crowd.mistaken()]
        commits = self._commits((crowd.sentinels, "board.task", sentinel))
        logs = [process.log for process in self._world.processes["web"]]
        resets = {
            kind.removeprefix("reset "): number
            for kind, number in counts.items()
            if kind.startswith("reset ")
        }
        return Report(
            wanted.seed,
            self._world.facts["database"],
            wanted.backend,
            wanted.seconds,
            self._world.facts["replays"],
            settings=wanted.settings(),
            clients=len(crowd.clients),
            commits=commits.number,
            commits_by_kind=dict(commits.kinds),
            refused=commits.refused,
            faults=dict(self._faults.done),
            resets=sum(resets.values()),
            resets_by_reason=resets,
            repeats=sum(repeats(client, commits) for client in crowd.clients),
            frames=counts["changed"],
            refetches=counts["applied"],
            connections=counts["welcome"],
            denied=_sum(counts, "refused "),
            denied_to_all=counts["refused list"],
            revoked=_sum(counts, "ended "),
            unaware=len(ignorant),
            leaks=counts["leak"],
            mistakes=counts["mistake"],
            quiet_seconds=round(quiet_seconds, 2),
            stale=len(found),
            silently_stale=len(silent),
            tracebacks=sum(log.read_text().count("Traceback (") for log in logs),
            portraits=[self._portrait(each, truth) for each in dict.fromkeys(strange)],
        )

    def _portrait(self, client: Client, truth: Truth) -> str:
        return portrait(client, differences(client, truth), self._began, self._faults.log)


def _sum(counts: Counter[str], prefix: str) -> int:
    return sum(number for kind, number in counts.items() if kind.startswith(prefix))


def stale(crowd: Crowd, truth: Truth) -> list[Client]:
    """Return the clients whose rows differ from the database's."""
    return [client for client in crowd.clients if differences(client, truth)]
