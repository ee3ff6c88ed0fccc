"""Run test apps in processes of their own, and keep their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

from tests.django_suite.sources import FOLDER

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 3_600
"""A process that runs longer is ended."""

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """How test apps are run: the database, and whether every table has triggers."""

    database: str
    triggers: bool

    @property
    def name(self) -> str:
        """A name for folders and figures."""
        return f"{self.database}{'-triggers' if self.triggers else ''}"


@dataclass(frozen=True, slots=True)
class Unit:
    """A test app to run, with or without tracking."""

    app: str
    way: Way
    tracked: bool

    @property
    def name(self) -> str:
        """A name for files and databases."""
        return f"{self.app}.{'tracked' if self.tracked else 'plain'}"

    def run(self, tests: Path, code: str, again: bool) -> Result:
        """Return the result: a kept one of the same code, else that of a new process.

        A process that crashed runs again.
        """
        folder = FOLDER / "results" / django.__version__ / self.way.name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        usable = bool(kept) and "crash" not in kept and not again
        # A run without tracking does not depend on the code of capture.
        if usable and (not self.tracked or kept["code"] == code):
            return kept
        made = self._run(tests, path.with_suffix(".new"), path.with_suffix(".log"))
        path.write_text(json.dumps(made | {"code": code}, indent=1))
        return made

    def _run(self, tests: Path, result: Path, log: Path) -> Result:
        options = {
            "tests": str(tests),
            "labels": [self.app],
            "tracked": self.tracked,
            "triggers": self.way.triggers,
            "result": str(result),
        }
        env = os.environ | {
            "DJANGO_SUITE_DATABASE": self.way.database,
            "DJANGO_SUITE_NAME": self.name.replace(".", "_"),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "tests.django_suite.child", json.dumps(options)]
        result.unlink(missing_ok=True)
        with log.open("w") as output:
            try:
                done = subprocess.run(
                    command,
                    cwd=tests,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=MOST_SECONDS,
                    check=False,
                )
                ended = f"exit code {done.returncode}"
            except subprocess.TimeoutExpired:
                ended = f"no end within {MOST_SECONDS} seconds"
        if result.exists():
            made: Result = json.loads(result.read_text())
            result.unlink()
            return made
        return {"outcomes": {}, "errors": {}, "crash": f"{ended}; see {log.name}"}
