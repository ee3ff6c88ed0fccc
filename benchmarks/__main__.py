"""Run a benchmark by name: `python -m benchmarks screen [--write]`.

With --write the figures also replace the block of that name in docs/reference/performance.md.
`python -m benchmarks orm --only save,sqlite` runs parts of one that has parts.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import idle, orm, pubsub, screen
from benchmarks.report import write_block

BENCHMARKS = {"idle": idle.run, "orm": orm.run, "pubsub": pubsub.run, "screen": screen.run}
WITH_PARTS = {"orm", "pubsub"}


def main() -> None:
    """Run what the command line names and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    parser.add_argument("--only", help="names of parts, with commas between them")
    arguments = parser.parse_args()
    if arguments.only and (arguments.write or arguments.name not in WITH_PARTS):
        parser.error(f"--only is for {sorted(WITH_PARTS)}, and the docs show a whole run")
    parts = [arguments.only.split(",")] if arguments.only else []
    report = BENCHMARKS[arguments.name](*parts)
    sys.stdout.write(report + "\n")
    if arguments.write:
        write_block(arguments.name, report)


if __name__ == "__main__":
    main()
