"""What a round is, and what is asked of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.convergence.report import Report
from tests.convergence.running import Running
from tests.convergence.sabotage import CLIENT_SABOTAGES
from tests.convergence.site import Site
from tests.convergence.world import Size, World

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
    quiet_within: float = 60.0
    """Seconds that clients have to settle in the end, at the pace of a round with faults."""
    patience: float = 10.0
    """Seconds that a client which believes itself true has to be told better."""
    keep: bool = True
    """Are the logs of a round that failed kept?"""

    def site(self) -> Site:
        """Return what the processes are told. In every second round the history is short."""
        short = not self.faultless and self.seed % 2 == 0
        broken = "" if self.sabotage in CLIENT_SABOTAGES else self.sabotage
        return Site(
            "",
            self.backend,
            short=short,
            faultless=self.faultless,
            heartbeat=10.0 if self.faultless else 2.0,
            sabotage=broken,
        )

    async def run(self) -> Report:
        """Run it. What is left behind on disk is the folder of a round that failed."""
        site = self.site()
        world = World(self.database, site, self.size, self.seed, raw=not self.faultless)
        failed = True
        try:
            async with world:
                report = await Running(self, world).run()
            report.problems += self.shortcomings(report)
            if failed := self.keep and bool(report.problems):
                report.keep(world.folder)
            return report
        finally:
            if not failed:
                world.remove()
            elif not (world.folder / "report.json").exists():
                print(f"logs: {world.folder}", flush=True)

    def shortcomings(self, report: Report) -> list[str]:
        """Return what a report lacks of what this round asks for."""
        found = []
        if report.commits < self.least_commits:
            found.append(f"{report.commits} commits, {self.least_commits} are wanted")
        if report.mistakes:
            found.append(f"{report.mistakes} mistakes in the clients; see their events")
        if report.leaks:
            found.append(f"{report.leaks} frames told of what was revoked or denied")
        if self.faultless:
            return found + _without_a_fault(report)
        missing = Counter(fault["kind"] for fault in report.plan) - Counter(report.faults)
        if missing:
            found.append(f"faults that were not done: {dict(missing)}")
        return found

    def settings(self) -> dict[str, Any]:
        """Return the command line's arguments that say this."""
        of = ("seed", "seconds", "database", "backend", "faultless", "least", "sabotage")
        sizes = {name: getattr(self.size, name) for name in ("clients", "webs", "writers", "rate")}
        faults = {"faults": ",".join(self.only)} if self.only else {}
        return {**{name: getattr(self, name) for name in of}, **sizes, **faults}


def _without_a_fault(report: Report) -> list[str]:
    """Return what must not be where nothing goes wrong."""
    allowed = set() if report.replays else {NO_REPLAY}
    numbers = {
        "resets": sum(n for why, n in report.resets_by_reason.items() if why not in allowed),
        "repeats": report.repeats,
        "lost connections": report.connections - report.clients,
        "refusals of what is everybody's": report.denied_to_all,
        "tracebacks": report.tracebacks,
    }
    return [f"{number} {what} without a fault" for what, number in numbers.items() if number]
