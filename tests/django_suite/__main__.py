"""`python -m tests.django_suite [APP …]`: run Django's tests tracked beside untracked, compare."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any

import django

from tests.django_suite import figures
from tests.django_suite.app_names import HANDFUL, all_apps
from tests.django_suite.compare import differences
from tests.django_suite.known import is_known
from tests.django_suite.sources import fetch
from tests.django_suite.units import Result, Unit, Way


def main() -> int:
    """Run; return 0 if no test ended otherwise and no row was missed."""
    given = _arguments()
    tests = fetch()
    apps = given.apps or (all_apps(tests) if given.all else HANDFUL)
    way = Way(given.database, given.triggers)
    code = figures.code()
    found: dict[str, Any] = {}
    with ThreadPoolExecutor(given.jobs) as pool:
        running = {
            pool.submit(
                _run, app, way, partial(Unit.run, tests=tests, code=code, again=given.again)
            ): app
            for app in apps
        }
        for done in as_completed(running):
            app = running[done]
            found[app] = done.result()
            _print(app, found[app])
    total = figures.total(found)
    print(f"Django {django.__version__}, {way.name}: {total}")
    if given.write:
        figures.write(way, code, total)
    return 1 if total["differences"] or total["missed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.django_suite", description=__doc__)
    parser.add_argument("apps", nargs="*", help="Django's test apps; by default a handful")
    parser.add_argument("--all", action="store_true", help="all test apps")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--triggers", action="store_true", help="with triggers on every table")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--again", action="store_true", help="ignore kept results")
    parser.add_argument(
        "--write", action="store_true", help=f"write figures to {figures.PATH.name}"
    )
    return parser.parse_args()


def _run(app: str, way: Way, run: Callable[[Unit], Result]) -> dict[str, Any]:
    plain, tracked = run(Unit(app, way, tracked=False)), run(Unit(app, way, tracked=True))
    found = differences(plain, tracked)
    known = {name for name, each in found.items() if is_known(name, each)}
    return {
        "differences": {name: each for name, each in found.items() if name not in known},
        "known": len(known),
        "tests": len(tracked["outcomes"]),
        "shadow": tracked.get("shadow", {}),
        "missed": tracked.get("missed", []),
        "hidden_queries": tracked.get("hidden_queries", 0),
    }


def _print(app: str, found: dict[str, Any]) -> None:
    shadow = found["shadow"]
    print(
        f"{app}: {found['tests']} tests, {len(found['differences'])} differences,"
        f" {found['known']} known ones, {shadow.get('rows changed', 0)} rows changed,"
        f" {shadow.get('missed', 0)} missed",
        flush=True,
    )
    for name, each in found["differences"].items():
        print(f"  {name}: {each.get('plain')} -> {each.get('tracked')}")
        print("    " + "\n    ".join(each["error"].strip().splitlines()[-3:]))
    for text in found["missed"][:5]:
        print("  missed: " + text[:1500].replace("\n", "\n    "))


if __name__ == "__main__":
    sys.exit(main())
