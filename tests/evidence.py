"""Results of soaks: docs/reference/soak.json, a list with one entry a round.

A page may claim `<!-- soak: capture 100000 -->`; tests/docs/test_soak.py compares the claim with
the entries whose `what` begins with that word.
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

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "docs/reference/soak.json"

Entry = dict[str, Any]


def about(what: str, database: str | None = None) -> Entry:
    """Return how an entry begins: its subject and its database; by default Django's."""
    return {
        "what": what,
        "database": database or f"{connection.display_name} {_version()}",
        "commit": _commit(),
        "python": platform.python_version(),
        "django": django.__version__,
    }


def rounds_of(what: str, kind: str | None = None) -> dict[int, Entry]:
    """Return the rounds that this code has passed, by seed: on this database, or any of a kind."""
    known = about(what, kind)
    name = known.pop("database")
    stood = [each for each in read() if "failed" not in each and known.items() <= each.items()]
    return {
        each["seed"]: each
        for each in stood
        if each["database"] == name or each["database"].split()[0] == kind
    }


def read() -> list[Entry]:
    """Return all entries."""
    return json.loads(PATH.read_text()) if PATH.exists() else []


def write(entry: Entry) -> None:
    """Add an entry; it replaces one with the same subject and seed, of any code."""
    key = ("what", "database", "seed")
    with _locked():
        others = [each for each in read() if any(each[name] != entry[name] for name in key)]
        entries = sorted([*others, entry], key=lambda each: [each[name] for name in key])
        lines = ",\n".join(f"  {json.dumps(each)}" for each in entries)
        PATH.write_text(f"[\n{lines}\n]\n")


def _version() -> str:
    return ".".join(map(str, connection.get_database_version()))


def _commit() -> str:
    """Return the last commit that changed the packages; with a `+` if they have changes since."""
    packages = ("--", "invalidation", "realtime")
    changed = "+" if _git("status", "--porcelain", *packages) else ""
    return _git("log", "-1", "--format=%h", *packages) + changed


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def _locked() -> Iterator[None]:
    """Two databases may be soaked at once. The folder is locked: the file may not exist yet."""
    with (PATH.parent / "index.md").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
