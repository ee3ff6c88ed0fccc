"""Start the processes that listen and send, and read their measurements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


class Worker:
    """A process of `benchmarks.peers.process`, pinned to `cores` if given."""

    def __init__(self, kind: str, url: str, *work: object, cores: Iterable[int] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.process", kind, url, *map(str, work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if cores:
            os.sched_setaffinity(self._process.pid, set(cores))

    def read(self) -> Any:
        """Return the next line it writes, decoded; raise RuntimeError if it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return json.loads(line)

    def go(self) -> None:
        """Tell it to begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Kill it, if it has not ended."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def workers(*made: Worker) -> Iterator[None]:
    """Wait until all are ready; end them after the block."""
    with ExitStack() as stack:
        for worker in made:
            stack.callback(worker.end)
        for worker in made:
            assert worker.read() == "ready"
        yield
