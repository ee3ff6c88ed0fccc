"""A round's report, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Report:
    """The faults and results of a round. `problems` is empty if it succeeded."""

    seed: int
    database: str
    backend: str
    seconds: float
    replays: bool
    """True if the backend replays missed messages."""
    settings: dict[str, Any] = field(default_factory=dict)
    plan: list[dict[str, Any]] = field(default_factory=list)
    clients: int = 0
    commits: int = 0
    commits_by_kind: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    """Transactions that the database refused: deadlocks, missing rows, or it was away."""
    faults: dict[str, int] = field(default_factory=dict)
    resets: int = 0
    resets_by_reason: dict[str, int] = field(default_factory=dict)
    repeats: int = 0
    frames: int = 0
    refetches: int = 0
    connections: int = 0
    denied: int = 0
    denied_to_all: int = 0
    """Those of topics that all users may watch."""
    revoked: int = 0
    leaks: int = 0
    """`changed` frames with a topic between its `revoked` or `denied` and the next `subscribed`."""
    unaware: int = 0
    """Clients that are wrong about a denial: unknown to them, or believed and not so."""
    mistakes: int = 0
    """Errors that the clients logged."""
    quiet_seconds: float = 0.0
    """Seconds from the end of faults and writes until every client had settled."""
    stale: int = 0
    silently_stale: int = 0
    """Those of the stale clients that claim to be up to date."""
    tracebacks: int = 0
    """Tracebacks in the servers' logs."""
    problems: list[str] = field(default_factory=list)
    portraits: list[str] = field(default_factory=list)
    folder: str = ""

    def as_json(self) -> str:
        """Return all fields as JSON."""
        return json.dumps(asdict(self), indent=1)

    def text(self, most: int | None = None) -> str:
        """Return the report as text; that of a failed round shows at most `most` clients."""
        faults = ", ".join(f"{number} {kind}" for kind, number in sorted(self.faults.items()))
        resets = ", ".join(f"{n} {reason}" for reason, n in sorted(self.resets_by_reason.items()))
        lines = [
            f"convergence: {self.database}, backend {self.backend}, seed {self.seed}",
            f"  {self.commits} commits in {self.seconds:.0f} s; refused: {self.refused}",
            f"  {self.clients} clients on {self.connections} connections",
            f"  denied: {self.denied}; revoked: {self.revoked}; told all the same: {self.leaks}",
            f"  faults: {faults or 'none'}",
            f"  frames: {self.frames}; refetches: {self.refetches}; tracebacks: {self.tracebacks}",
            f"  resets: {self.resets} ({resets or 'none'}); repeats: {self.repeats}",
            f"  quiet after {self.quiet_seconds:.1f} s",
            f"  stale clients: {self.stale}; silently so: {self.silently_stale}",
        ]
        if self.problems:
            lines += ["  FAILED", *(f"  - {problem}" for problem in self.problems)]
            lines += self.portraits[:most]
            lines += [f"  logs and all of the report: {self.folder}"]
            lines += [f"  again: python -m tests.convergence {self.again()}"]
        return "\n".join(lines)

    def again(self) -> str:
        """Return the command line's arguments that repeat this round."""
        return " ".join(
            f"--{name}" if value is True else f"--{name} {shlex.quote(str(value))}"
            for name, value in self.settings.items()
            if value not in (False, None, "")
        )

    def keep(self, folder: Path) -> None:
        """Write the report into the folder of the logs."""
        self.folder = str(folder)
        (folder / "report.json").write_text(self.as_json())
        (folder / "report.txt").write_text(self.text())
