"""One round: writes and faults for a while, then quiet, then every client against the database."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.convergence.crowd import Crowd
from tests.convergence.faults import Faults
from tests.convergence.judging import differences, portrait, read_commits, repeats
from tests.convergence.nemesis import plan
from tests.convergence.report import Report
from tests.convergence.sabotage import CARELESS
from tests.convergence.site import Site
from tests.convergence.world import Size, World

SHORT_RETENTION = 3.0
ALL_LOADED_WITHIN = 60.0
QUIET_WITHIN = 60.0
TOLD_LATE_WITHIN = 10.0
"""Seconds that a client which believes itself true has to be told better."""
STOPPED_WITHIN = 30.0
NO_REPLAY = "no-replay"
"""The reset of a backend that cannot replay, for whoever comes with an old cursor."""


@dataclass(frozen=True)
class Round:
    """What is to be run. The same seed has the same plan, writers and clients."""

    seed: int = 1
    seconds: float = 60.0
    database: str = "sqlite"
    backend: str = "database"
    size: Size = field(default_factory=Size)
    faultless: bool = False
    least: int = 1
    """How often each kind of fault comes, at least."""
    least_commits: int = 1
    only: tuple[str, ...] = ()
    """The kinds of faults, if not all."""
    sabotage: str = ""

    def site(self) -> Site:
        """Return what the processes are told. Every second round prunes its history early."""
        short = not self.faultless and self.seed % 2 == 0
        broken = "" if self.sabotage == CARELESS else self.sabotage
        return Site("", self.backend, SHORT_RETENTION if short else None, sabotage=broken)

    async def run(self) -> Report:
        """Run it. What is left behind on disk is the folder of a round that failed."""
        site = self.site()
        world = World(self.database, site, self.size, self.seed, raw=not self.faultless)
        failed = True
        try:
            async with world:
                report = await _Running(self, world).run()
            failed = bool(report.problems)
            if failed:
                report.keep(world.folder)
            return report
        finally:
            if not failed:
                world.remove()
            elif not (world.folder / "report.json").exists():
                print(f"logs: {world.folder}", flush=True)

    def settings(self) -> dict[str, Any]:
        """Return the command line's arguments that say this."""
        of = ("seed", "seconds", "database", "backend", "faultless", "least", "sabotage")
        sizes = {name: getattr(self.size, name) for name in ("clients", "webs", "writers", "rate")}
        faults = {"faults": json.dumps(",".join(self.only))} if self.only else {}
        return {**{name: getattr(self, name) for name in of}, **sizes, **faults}


class _Running:
    """A round under way."""

    def __init__(self, wanted: Round, world: World) -> None:
        self.wanted = wanted
        self.world = world
        self.faults = Faults(world, wanted.seed)
        self.began = time.monotonic()
        self.problems: list[str] = []

    async def run(self) -> Report:
        wanted, world = self.wanted, self.world
        faults = [] if wanted.faultless else plan(
            wanted.seed, wanted.seconds, world.targets, wanted.least, wanted.only
        )
        choice = list(await world.command("truth"))
        sentinels = next(topic for topic in reversed(choice) if topic.startswith("list:"))
        choice.remove(sentinels)
        careless = wanted.sabotage == CARELESS
        crowd = Crowd(
            wanted.seed, world.size.clients, [*choice, sentinels], world.ports, careless=careless
        )
        try:
            await self._disturb(crowd, faults)
            return await self._judge(crowd, sentinels, faults)
        finally:
            await crowd.end()

    async def _disturb(self, crowd: Crowd, faults: Any) -> None:
        """Write and break for the time wanted, then let everything be whole and still."""
        writers = self.world.processes["writer"]
        for writer in writers:
            await writer.start()
        async with asyncio.timeout(ALL_LOADED_WITHIN):
            await crowd.start()
        self.began = time.monotonic()
        if self.wanted.sabotage == CARELESS:
            for proxy in self.world.proxies:
                proxy.late = 1.0
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wanted.seconds
        await self.faults.run(faults)
        await asyncio.sleep(end - loop.time())
        for writer in writers:
            writer.order("stop")
        for writer in writers:
            if await writer.ended(STOPPED_WITHIN) != 0:
                self.problems.append(f"{writer.name} did not end well; see {writer.log}")
        for process in self.world.every_process():
            if process.kind != "writer" and not process.running:
                self.problems.append(f"{process.name} ended by itself; see {process.log}")
        async with asyncio.timeout(QUIET_WITHIN):
            await crowd.settle()

    async def _judge(self, crowd: Crowd, sentinels: str, faults: Any) -> Report:
        began = time.monotonic()
        crowd.wake()
        sentinel = await self.world.command("sentinel")

        def is_quiet(client: Any) -> bool:
            return client.settled and sentinel in client.shown.get(sentinels, {})

        quiet = await crowd.wait(lambda: all(map(is_quiet, crowd.clients)), QUIET_WITHIN)
        quiet_seconds = time.monotonic() - began
        if not quiet:
            restless = [client.name for client in crowd.clients if not is_quiet(client)]
            self.problems.append(f"not quiet within {QUIET_WITHIN:.0f} s: {', '.join(restless)}")
        truth = await self.world.command("truth")

        def stale() -> list[Any]:
            return [client for client in crowd.clients if differences(client, truth)]

        late = stale()
        await crowd.wait(lambda: not stale(), TOLD_LATE_WITHIN)
        self._note_stale(stale(), late)
        report = self._report(crowd, quiet_seconds)
        report.stale = len(stale())
        report.plan = [fault.as_json() for fault in faults]
        report.portraits = [self._portrait(client, truth) for client in stale()]
        report.portraits += [
            self._portrait(client, truth)
            for client in crowd.clients
            if not is_quiet(client) and not differences(client, truth)
        ]
        self._judge_numbers(report, faults)
        report.problems = self.problems
        return report

    def _note_stale(self, stale: list[Any], late: list[Any]) -> None:
        if stale:
            self.problems.append(f"stale: {', '.join(client.name for client in stale)}")
        told_late = [client.name for client in late if client not in stale]
        if told_late:
            self.problems.append(f"told only after they had settled: {', '.join(told_late)}")

    def _portrait(self, client: Any, truth: Any) -> str:
        return portrait(client, differences(client, truth), self.began)

    def _report(self, crowd: Crowd, quiet_seconds: float) -> Report:
        wanted, counts = self.wanted, crowd.counts()
        commits = read_commits(self.world.folder.glob("*.commits"))
        resets = {
            kind.removeprefix("reset "): number
            for kind, number in counts.items()
            if kind.startswith("reset ")
        }
        logs = [process.log for process in self.world.processes["web"]]
        return Report(
            wanted.seed,
            self.world.facts["database"],
            wanted.backend,
            wanted.seconds,
            self.world.facts["replays"],
            settings=wanted.settings(),
            clients=len(crowd.clients),
            commits=commits.number,
            commits_by_kind=dict(commits.kinds),
            refused=commits.refused,
            faults=dict(self.faults.done),
            resets=sum(resets.values()),
            resets_by_reason=resets,
            repeats=sum(repeats(client, commits) for client in crowd.clients),
            frames=counts["changed"],
            refetches=counts["applied"],
            connections=counts["open"],
            denied=counts["denied"],
            quiet_seconds=round(quiet_seconds, 2),
            tracebacks=sum(log.read_text().count("Traceback (") for log in logs),
        )

    def _judge_numbers(self, report: Report, faults: Any) -> None:
        wanted = self.wanted
        if report.commits < wanted.least_commits:
            self.problems.append(f"{report.commits} commits, {wanted.least_commits} are wanted")
        missing = Counter(fault.kind for fault in faults) - self.faults.done
        if missing:
            self.problems.append(f"faults that were not done: {dict(missing)}")
        if wanted.faultless:
            allowed = set() if report.replays else {NO_REPLAY}
            resets = report.resets_by_reason.keys() - allowed
            if resets:
                self.problems.append(f"resets without a fault: {report.resets_by_reason}")
            if report.repeats:
                self.problems.append(f"{report.repeats} repeats without a fault")
            if report.connections != report.clients:
                self.problems.append(f"{report.connections} connections of {report.clients} clients")
            if report.tracebacks:
                self.problems.append(f"{report.tracebacks} tracebacks without a fault")
            if report.denied:
                self.problems.append(f"{report.denied} refusals without a fault")
