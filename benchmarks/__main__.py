"""Run a benchmark by name: `python -m benchmarks screen [--write]`.

With --write the figures also replace the block of that name in docs/reference/performance.md.
`python -m benchmarks orm --only save,sqlite` runs some parts of a benchmark. For connections, the
other parts' figures are kept, so that --write may update a single part.
`python -m benchmarks connections --small` runs a little of everything, `--runs 1` everything once.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks import connections, idle, orm, pubsub, screen
from benchmarks.report import write_block

BENCHMARKS = {
    "connections": connections.run,
    "idle": idle.run,
    "orm": orm.run,
    "pubsub": pubsub.run,
    "screen": screen.run,
}
WITH_PARTS = {"connections", "orm", "pubsub"}


def main() -> None:
    """Run the benchmark that the command line names, and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help="write the figures into the docs")
    parser.add_argument("--only", help="names of parts, separated by commas")
    parser.add_argument("--runs", type=int, help="how often connections are measured")
    parser.add_argument("--stall", type=float, help="for how long slow clients do not read")
    parser.add_argument("--small", action="store_true", help="a small run of connections")
    arguments = parser.parse_args()
    keeps = arguments.name == "connections"
    if arguments.only and ((arguments.write and not keeps) or arguments.name not in WITH_PARTS):
        parser.error(f"--only is for {sorted(WITH_PARTS)}, and the docs show a whole run")
    others: dict[str, Any] = {}
    if keeps:
        others = {name: getattr(arguments, name) for name in ("runs", "small", "stall", "write")}
    elif arguments.runs or arguments.small or arguments.stall:
        parser.error("--runs, --small and --stall are for connections")
    parts = [arguments.only.split(",")] if arguments.only else []
    report = BENCHMARKS[arguments.name](*parts, **others)
    sys.stdout.write(report + "\n")
    if arguments.write:
        write_block(arguments.name, report)


if __name__ == "__main__":
    main()
