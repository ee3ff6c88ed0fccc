"""What soaks have shown: docs/reference/soak.json, a list with one entry a round.

A page may claim `<!-- soak: capture 100000 -->`, which tests/docs/test_soak.py holds against the
entries whose `what` begins with that word.
"""

from __future__ import annotations

import fcntl
import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.db import connection

from tests.invalidation.oracle.running import Totals

ROOT = Path(__file__).resolve().parents[3]
PATH = ROOT / "docs/reference/soak.json"

Entry = dict[str, Any]


def entry_of(what: str, seed: int, totals: Totals, seconds: float) -> Entry:
    """Return the entry of a round."""
    return {
        **_about(what),
        "seed": seed,
        "transactions": totals.transactions,
        "false_negatives": totals.missing,
        "resets_without_cause": totals.causeless,
        "needless_percent": round(totals.needless_percent, 2),
        "seconds": round(seconds),
    }


def rounds_of(what: str) -> dict[int, Entry]:
    """Return the rounds that this code has stood on this database, by seed."""
    about = _about(what)
    stood = (each for each in read() if "failed" not in each)
    return {each["seed"]: each for each in stood if about.items() <= each.items()}


def read() -> list[Entry]:
    """Return all entries."""
    return json.loads(PATH.read_text()) if PATH.exists() else []


def write(entry: Entry) -> None:
    """Add an entry; one about the same thing and seed, of whatever code, gives way."""
    key = ("what", "database", "seed")
    with _locked():
        others = [each for each in read() if any(each[name] != entry[name] for name in key)]
        entries = sorted([*others, entry], key=lambda each: [each[name] for name in key])
        lines = ",\n".join(f"  {json.dumps(each)}" for each in entries)
        PATH.write_text(f"[\n{lines}\n]\n")


def _about(what: str) -> Entry:
    return {
        "what": what,
        "database": f"{connection.display_name} {_version()}",
        "commit": _commit(),
        "python": platform.python_version(),
        "django": django.__version__,
    }


def _version() -> str:
    return ".".join(map(str, connection.get_database_version()))


def _commit() -> str:
    """Return the last commit that changed the packages; with a `+` where they are changed since."""
    packages = ("--", "invalidation", "realtime")
    changed = "+" if _git("status", "--porcelain", *packages) else ""
    return _git("log", "-1", "--format=%h", *packages) + changed


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def _locked() -> Iterator[None]:
    """Two databases may be soaked at once. The folder is locked: the file may not be there yet."""
    with (PATH.parent / "index.md").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
