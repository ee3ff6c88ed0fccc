"""The plan of faults and their times: a seed decides it, so that a round can be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault: its target, and its shortest and longest duration in seconds."""

    target: str
    """A kind of process, `clients` (a proxy in front of a server), `database`, `redis` (one of its
    servers), `publishers` (a proxy between writers and Redis), or `cluster`."""
    shortest: float
    longest: float
    beside: str = ""
    """Another kind of process that the fault needs."""


FAULTS = {
    "kill web": FaultKind("web", 0.1, 2.0),
    "stop web": FaultKind("web", 0.3, 3.0),
    "kill relay": FaultKind("relay", 0.1, 2.0),
    "stop relay": FaultKind("relay", 0.3, 3.0),
    "kill broker": FaultKind("broker", 0.1, 2.0),
    "stop broker": FaultKind("broker", 0.3, 4.0),
    "kill writer": FaultKind("writer", 0.1, 1.0),
    "kill unheard writer": FaultKind("writer", 0.1, 1.0, beside="broker"),
    "stop writer": FaultKind("writer", 0.3, 2.0),
    "hold transaction": FaultKind("writer", 0.5, 2.5),
    "cut clients": FaultKind("clients", 0.0, 0.0),
    "refuse clients": FaultKind("clients", 0.3, 2.0),
    "delay clients": FaultKind("clients", 0.5, 3.0),
    "stall clients": FaultKind("clients", 0.5, 7.0),
    "late answers": FaultKind("clients", 1.0, 4.0),
    "restart database": FaultKind("database", 0.0, 0.5),
    "crash database": FaultKind("database", 0.0, 0.5),
    "cut database": FaultKind("database", 0.0, 0.0),
    "delay database": FaultKind("database", 0.5, 3.0),
    "kill redis": FaultKind("redis", 0.1, 5.0),
    "stop redis": FaultKind("redis", 0.3, 5.0),
    "flush redis": FaultKind("redis", 0.0, 0.0),
    "cut redis": FaultKind("redis", 0.0, 0.0),
    "overflow redis": FaultKind("redis", 0.5, 1.5),
    "forget scripts": FaultKind("redis", 0.0, 0.0),
    "cut publishers": FaultKind("publishers", 0.3, 4.0),
    "fail over": FaultKind("cluster", 0.0, 0.0),
    "move slots": FaultKind("cluster", 0.0, 0.0),
}

FIRST, LAST = 0.03, 0.9
"""The part of the round within which faults begin."""
EVERY = 1.2
"""Seconds between faults on average, or fewer if `least` requires more faults."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: it begins after `at` seconds, lasts `lasts` seconds, and hits one target.

    `target` is the index among the targets of its kind.
    """

    at: float
    kind: str
    target: int
    lasts: float

    def as_json(self) -> dict[str, Any]:
        """Return it for the report."""
        return asdict(self)


def plan(
    seed: int, seconds: float, targets: Mapping[str, int], least: int, only: Sequence[str] = ()
) -> list[Fault]:
    """Return the faults of a round: each kind that has a target comes at least `least` times.

    `targets` is kind of target -> number of targets. `only` restricts the kinds of faults.
    """
    draw = Random(f"{seed}/nemesis")
    kinds = [
        name
        for name, kind in FAULTS.items()
        if targets.get(kind.target) and targets.get(kind.beside or kind.target)
    ]
    kinds = [name for name in kinds if not only or name in only]
    number = max(least * len(kinds), round(seconds / EVERY))
    names = [*kinds * least, *draw.choices(kinds, k=number - least * len(kinds))] if kinds else []
    return sorted(_fault(draw, name, seconds, targets) for name in names)


def _fault(draw: Random, name: str, seconds: float, targets: Mapping[str, int]) -> Fault:
    kind = FAULTS[name]
    longest = min(kind.longest, max(kind.shortest, seconds / 5))
    return Fault(
        at=round(draw.uniform(FIRST, LAST) * seconds, 2),
        kind=name,
        target=draw.randrange(targets[kind.target]),
        lasts=round(draw.uniform(kind.shortest, longest), 2),
    )
