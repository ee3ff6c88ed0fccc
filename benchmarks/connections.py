"""Websockets beside those of other servers: rate, latency, memory, slow readers, reconnect storms.

A server has one core; its clients, its Redis and the publisher share another. Peers are measured
in turns within one run, and figures are medians. `benchmarks.sockets` holds the parts.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import NamedTuple

from benchmarks.report import PAGE, machine
from benchmarks.sockets import connecting, fanout, memory, paced, slow, storm, verdicts
from benchmarks.sockets.processes import LOAD_CORE, SERVER_CORE
from benchmarks.sockets.size import FULL, SMALL, Size
from benchmarks.sockets.turns import Record
from benchmarks.sockets.verdicts import Verdict

RUNS = PAGE.parent / "connections.json"
"""The file that keeps the figures of each turn."""

PACKAGES = ("channels", "channels-redis", "daphne", "redis", "uvicorn", "websockets")


class Part(NamedTuple):
    """How one part measures, reports and judges."""

    measure: Callable[[Size], list[Record]]
    report: Callable[[Sequence[Record]], str]
    verdicts: Callable[[Sequence[Record]], list[Verdict]]


PARTS = {
    "fanout": Part(fanout.measure, fanout.report, fanout.verdicts),
    "paced": Part(paced.measure_paced, paced.report_paced, paced.verdicts_paced),
    "topics": Part(paced.measure_topics, paced.report_topics, paced.verdicts_topics),
    "memory": Part(memory.measure, memory.report, memory.verdicts),
    "slow": Part(slow.measure, slow.report, slow.verdicts),
    "connect": Part(connecting.measure, connecting.report, connecting.verdicts),
    "storm": Part(storm.measure, storm.report, storm.verdicts),
}


def run(
    only: Collection[str] = (),
    runs: int | None = None,
    small: bool = False,
    stall: float | None = None,
    write: bool = False,
) -> str:
    """Measure the parts named, all where none is, and return the report.

    `write` keeps the figures of each turn, and reports the kept figures of parts that are not
    measured now. `runs` is the number of turns; `small` does a little of everything, which shows
    that the benchmark works; `stall` is the number of seconds for which clients do not read.
    """
    if unknown := set(only) - set(PARTS):
        raise SystemExit(f"expected some of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    size = SMALL if small else FULL
    size = replace(size, runs=runs or size.runs, stall_seconds=stall or size.stall_seconds)
    # A signal ends this process with an exception, so that its child processes end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = _kept(size) if write and only else {}
    for name, part in PARTS.items():
        if name in only or not only:
            began = time.monotonic()
            found[name] = part.measure(size)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    tables: list[str] = []
    judged: list[Verdict] = []
    for name, part in PARTS.items():
        if name in found:
            tables.append(part.report(found[name]))
            judged += part.verdicts(found[name])
    if write:
        _write(size, [record for name in PARTS for record in found.get(name, ())])
    said = [f"{machine()}; {_versions()}", *_caveats(size), *tables]
    return "\n\n".join([*said, verdicts.report(judged)] if judged else said)


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def _caveats(size: Size) -> list[str]:
    found = []
    if size != FULL:
        full = asdict(FULL)
        others = {name: value for name, value in asdict(size).items() if value != full[name]}
        what = ", ".join(f"{name} {value}" for name, value in others.items())
        found.append(f"**Not the run described, but one that shows that it works: {what}.**")
    if SERVER_CORE == LOAD_CORE:
        found.append("**There was one core: servers and clients shared it.**")
    return found


def _kept(size: Size) -> dict[str, list[Record]]:
    """Return the kept records by part; exit unless size, machine and versions are the same."""
    kept = json.loads(RUNS.read_text())
    for name, value in _head(size).items():
        if kept[name] != value:
            raise SystemExit(f"expected the kept runs' {name}, {kept[name]}, got {value}: run all")
    found: dict[str, list[Record]] = {}
    for record in kept["turns"]:
        found.setdefault(record["part"], []).append(record)
    return found


def _head(size: Size) -> dict[str, object]:
    """Return the conditions of a run, which are kept beside its turns."""
    return {"machine": machine(), "versions": _versions(), "size": asdict(size)}


def _write(size: Size, records: Sequence[Record]) -> None:
    lines = ",\n".join(f"  {json.dumps(record)}" for record in records)
    begin = json.dumps(_head(size))[:-1]
    RUNS.write_text(f'{begin}, "turns": [\n{lines}\n]}}\n')
