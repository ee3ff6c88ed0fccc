"""The processes of a round: start, stop and kill them; all end with the harness."""

from __future__ import annotations

import asyncio
import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 180.0
PR_SET_PDEATHSIG = 1
LONGEST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of process: its command, with fields such as `{name}`, and its sign of readiness."""

    command: tuple[str, ...]
    question: bytes = b""
    """The request that a ready process answers, on the socket `{folder}/{name}.sock`."""
    answer: bytes = b""
    """The beginning of that answer."""


KINDS = {
    "web": Kind(
        (
            *("-m", "uvicorn", "--uds", "{folder}/{name}.sock", "--ws", "websockets-sansio"),
            *("--log-level", "warning", "tests.convergence.board.asgi:application"),
        ),
        question=b"GET /up/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        answer=b"HTTP/1.1 200",
    ),
    "daphne": Kind(
        (
            *("-m", "daphne", "-u", "{folder}/{name}.sock", "--verbosity", "0"),
            "tests.convergence.board.asgi:application",
        ),
        question=b"GET /up/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        answer=b"HTTP/1.1 200",
    ),
    "writer": Kind(
        (
            *("-m", "tests.convergence.writer", "{name}", "{seed}/{name}/{life}", "{rate}"),
            *("{raw}", "{folder}/{name}.commits"),
        )
    ),
    "relay": Kind(("-m", "django", "realtime_relay")),
    "broker": Kind(
        ("-m", "tests.contract.socket_server", "{folder}/{name}.sock", "{history}"),
        question=b'{"do": "head"}\n',
        answer=b"{",
    ),
}
"""Name -> kind. A backend's further processes are added here, their number in `site.BACKENDS`."""


class Process:
    """One process of the round, restarts included. Its output is in `{folder}/{name}.log`."""

    def __init__(
        self, kind: str, number: int, folder: Path, environment: Mapping[str, str], **facts: object
    ) -> None:
        self.kind = kind
        self.name = f"{kind}-{number}"
        self.log = folder / f"{self.name}.log"
        self.socket = folder / f"{self.name}.sock"
        self.commits = folder / f"{self.name}.commits"
        """The file to which a writer logs its transactions."""
        self.killed = False
        self._folder = folder
        self._environment = environment
        self._facts = facts
        self._life = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """True if it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it; return when it is ready, if its kind has a sign of that."""
        self._life += 1
        self.killed = False
        facts = {"folder": self._folder, "name": self.name, "life": self._life, **self._facts}
        command = [part.format(**facts) for part in KINDS[self.kind].command]
        with self.log.open("ab") as log:
            # In this thread, see end_with_parent(); it blocks for milliseconds.
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, *command],
                cwd=ROOT,
                env=dict(self._environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 -- one system call
            )
        if KINDS[self.kind].question:
            await self._until_it_answers()

    def kill(self) -> None:
        """Kill it, as `kill -9` does."""
        if self._process is not None:
            self.killed = True
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal if it runs."""
        if self.running:
            assert self._process is not None
            self._process.send_signal(number)

    def order(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            # It has ended, which `ended()` returns.
            pass

    def transactions(self) -> int:
        """Return the number of transactions that a writer logged, restarts included."""
        return self.commits.read_bytes().count(b"\n") if self.commits.exists() else 0

    async def ended(self, seconds: float) -> int | None:
        """Wait for its end; return its exit code, or None on timeout."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return self._process.returncode

    async def _until_it_answers(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not await self._answers():
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")
            await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return False
        try:
            writer.write(KINDS[self.kind].question)
            return (await reader.readline()).startswith(KINDS[self.kind].answer)
        except OSError:
            return False
        finally:
            writer.transport.abort()


def end_with_parent() -> None:
    """Let Linux kill this process when the thread that started it ends, even by a kill."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def run(arguments: list[str], environment: Mapping[str, str]) -> bytes:
    """Run Python with these arguments and return its output; raise RuntimeError if it fails."""
    process = await _python(arguments, environment)
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{arguments} failed:\n{err.decode()}")
    return out


class Answering:
    """A process that answers each line of its input with a line of JSON. Owner: one task."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, line: str) -> Any:
        """Return the answer to a line; raise RuntimeError if the process fails."""
        if self._process is None:
            self._process = await _python(self._arguments, self._environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n".encode())
        answer = await self._process.stdout.readline()
        if not answer:
            _, err = await self._process.communicate()
            raise RuntimeError(f"{line!r} failed:\n{err.decode()}")
        return json.loads(answer)

    async def end(self) -> None:
        """End the process if it was started."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


def _python(
    arguments: list[str], environment: Mapping[str, str]
) -> Awaitable[asyncio.subprocess.Process]:
    return asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        limit=LONGEST_ANSWER,
        preexec_fn=end_with_parent,
    )
