"""Run a benchmark by name: `python -m benchmarks screen [--write]`.

With --write the figures also replace the block of that name in docs/reference/performance.md.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import idle, screen
from benchmarks.report import write_block

BENCHMARKS = {"idle": idle.run, "screen": screen.run}


def main() -> None:
    """Run what the command line names and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    arguments = parser.parse_args()
    report = BENCHMARKS[arguments.name]()
    sys.stdout.write(report + "\n")
    if arguments.write:
        write_block(arguments.name, report)


if __name__ == "__main__":
    main()
