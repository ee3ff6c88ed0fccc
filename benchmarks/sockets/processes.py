"""Processes that receive commands as lines of JSON, each pinned to a core.

Servers run on the first core, all other processes on the second.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]


def allow_many_files() -> int:
    """Raise this process's limit of open files to the allowed maximum; return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Process:
    """A process that ends with this one. Its error output is reported when it fails."""

    def __init__(
        self,
        command: Sequence[object],
        core: int,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        cwd: Path = ROOT,
    ) -> None:
        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            allow_many_files()
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with it
        self._process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            pass_fds=pass_fds,
            preexec_fn=prepare,  # noqa: PLW1509 -- system calls
        )

    @classmethod
    def python(cls, module: str, *arguments: object, **others: Any) -> Self:
        """Run a module of Python."""
        return cls([sys.executable, "-m", module, *arguments], **others)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def do(self, what: str, **arguments: object) -> dict[str, Any]:
        """Send it a command, and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{self._process.args} ended:\n{self.complaints()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def complaints(self) -> str:
        """Return the end of its standard error."""
        self._complaints.seek(0)
        return self._complaints.read()[-4000:]

    def memory(self) -> int:
        """Return its proportional set size in bytes: own memory, and a share of shared memory."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()


def pin(pid: int, core: int) -> None:
    """Put all threads of a process on a core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
