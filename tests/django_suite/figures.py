"""The committed figures: docs/reference/django-suite.json, an entry a Django version and way."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections import Counter
from typing import Any

import django

from tests.django_suite.units import ROOT, Way

PATH = ROOT / "docs/reference/django-suite.json"


def code() -> str:
    """Return the last commit of the packages or this suite, with a digest of later changes."""
    packages = ("--", "invalidation", "realtime", "tests/django_suite")
    commit = _git("log", "-1", "--format=%h", *packages)
    changed = _git("diff", "HEAD", *packages)
    return f"{commit}+{hashlib.sha256(changed.encode()).hexdigest()[:6]}" if changed else commit


def total(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over all test apps."""
    shadow: Counter[str] = Counter()
    for each in found.values():
        shadow.update(each["shadow"])
    return {
        "apps": len(found),
        "tests": sum(each["tests"] for each in found.values()),
        "known_differences": sum(each["known"] for each in found.values()),
        "differences": sum(len(each["differences"]) for each in found.values()),
        "writes": shadow.pop("writes", 0),
        "rows_changed": shadow.pop("rows changed", 0),
        "missed": shadow.pop("missed", 0),
        "hidden_queries": sum(each["hidden_queries"] for each in found.values()),
        "shadow": dict(sorted(shadow.items())),
    }


def write(way: Way, commit: str, sums: dict[str, Any]) -> None:
    """Add an entry; it replaces that of the same Django version and way."""
    entry = {
        "database": way.name,
        "django": django.__version__,
        "python": platform.python_version(),
        "commit": commit,
        **sums,
    }
    known = json.loads(PATH.read_text()) if PATH.exists() else []
    key = ("django", "database")
    others = [each for each in known if any(each[name] != entry[name] for name in key)]
    entries = sorted([*others, entry], key=lambda each: [each[name] for name in key])
    lines = ",\n".join(f"  {json.dumps(each)}" for each in entries)
    PATH.write_text(f"[\n{lines}\n]\n")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
