"""A round's parameters, and the conditions for its success."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.convergence.report import Report
from tests.convergence.running import Running
from tests.convergence.sabotage import CLIENT_SABOTAGES
from tests.convergence.site import BACKENDS, Site
from tests.convergence.world import Size, World

OVERTAKEN = 0.05
"""The share of commits whose messages an outbox may send twice without a fault."""

NO_REPLAY = "no-replay"
"""The reset of a client with an old cursor by a backend that cannot replay."""


@dataclass(frozen=True)
class Round:
    """The parameters of a round. The same seed gives the same plan, writers and clients."""

    seed: int = 1
    seconds: float = 60.0
    database: str = "sqlite"
    backend: str = "database"
    size: Size = field(default_factory=Size)
    faultless: bool = False
    least: int = 1
    """The minimum number of faults of each kind."""
    least_commits: int = 1
    only: tuple[str, ...] = ()
    """The kinds of faults, if not all."""
    sabotage: str = ""
    quiet_within: float = 60.0
    """Seconds within which clients must settle in the end, at the pace of a round with faults."""
    patience: float = 10.0
    """Further seconds in which a settled client that is stale may still be corrected."""
    keep: bool = True
    """True to keep the logs of a failed round."""

    def site(self) -> Site:
        """Return the settings of the processes. In every second round the history is short."""
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
        """Run it and return its report. The folder of a failed round stays on disk."""
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
        """Return the conditions that a report does not meet."""
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
        """Return this round as arguments of the command line."""
        of = ("seed", "seconds", "database", "backend", "faultless", "least", "sabotage")
        sizes = {name: getattr(self.size, name) for name in ("clients", "webs", "writers", "rate")}
        faults = {"faults": ",".join(self.only)} if self.only else {}
        return {**{name: getattr(self, name) for name in of}, **sizes, **faults}


def _without_a_fault(report: Report) -> list[str]:
    """Return the events that must not occur in a round without faults."""
    allowed = set() if report.replays else {NO_REPLAY}
    # On a busy machine another process's sweep may send a row of the outbox that its writer is
    # still sending.
    by_outbox = bool(BACKENDS[report.settings["backend"]].processes)
    overtaken = report.commits * OVERTAKEN if by_outbox else 0
    numbers = {
        "resets": sum(n for why, n in report.resets_by_reason.items() if why not in allowed),
        "repeats": report.repeats if report.repeats > overtaken else 0,
        "lost connections": report.connections - report.clients,
        "denials of what all may watch": report.denied_to_all,
        "tracebacks": report.tracebacks,
    }
    return [f"{number} {what} without a fault" for what, number in numbers.items() if number]
