"""The Node process in which the clients of a round run, and its last report about them."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.convergence.node_packages import NODE, install
from tests.convergence.processes import LONGEST_ANSWER, end_with_parent
from tests.convergence.sabotage import STATIC

ANSWER_WITHIN = 120.0
"""Seconds within which the process must answer commands that do not wait for the servers."""
LAST_CHARACTERS = 3_000
"""Characters of its standard error that an error shows."""

Event = tuple[float, str, dict[str, Any]]


class NodeFailed(Exception):
    """The process ended, or did not answer in time."""


@dataclass(slots=True)
class Watch:
    """One subscription, and how many changes of each row it received since a moment.

    `told` is (label, key) -> number; `since` is in seconds of `time.monotonic()`.
    """

    topic: str
    since: float
    told: Counter[tuple[str, str]]
    cursor: str | None = None
    confirmed: bool = False


@dataclass(slots=True, eq=False)
class Client:
    """A client, as the process reported it last."""

    name: str
    kind: str
    viewer: str
    """The primary key of its user."""
    state: str = "loading"
    settled: bool = False
    """True if it claims to be up to date, and has no work left."""
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Topic -> the rows that its page shows now, by key."""
    denied: frozenset[str] = frozenset()
    """The topics of `shown` that the client knows to be denied."""
    counts: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)


class NodeCrowd:
    """Starts, asks and ends the process. Owner: an event loop. Every command has a timeout."""

    def __init__(
        self, specs: Sequence[Mapping[str, Any]], log: Path, static: Path = STATIC
    ) -> None:
        self.clients = [Client(each["name"], each["kind"], each["person"]) for each in specs]
        self.news = asyncio.Event()
        """Set by an event of a client since the last `look()`, and by the end of the process."""
        self._specs = specs
        self._log = log
        self._static = static
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    async def start(self, ports: Sequence[int], pace: float, seconds: float) -> None:
        """Start the process; return when every client has loaded."""
        await asyncio.to_thread(install)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("node", "--experimental-vm-modules", "--no-warnings"),
                *(str(NODE / "crowd.mjs"), f"{self._static.as_uri()}/"),
                env={**os.environ, "NODE_OPTIONS": ""},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LONGEST_ANSWER,
                preexec_fn=end_with_parent,
            )
        self._reading = asyncio.create_task(self._read())
        await self.ask("start", seconds, ports=ports, pace=pace, specs=self._specs)

    async def look(self) -> None:
        """Read each client's state, rows and denied topics."""
        self.news.clear()
        portraits = await self.ask("look")
        for client in self.clients:
            if said := portraits.get(client.name):
                client.state, client.settled = said["state"], said["settled"]
                client.shown, client.denied = said["shown"], frozenset(said["denied"])

    async def tell(self) -> None:
        """Read each client's events and subscriptions."""
        stories = await self.ask("tell")
        for client in self.clients:
            said = stories[client.name]
            client.counts, client.events = Counter(said["counts"]), said["events"]
            client.watches = [_watch(**each) for each in said["watches"]]

    async def ask(self, name: str, seconds: float = ANSWER_WITHIN, **about: Any) -> Any:
        """Send a command and return its answer; raise NodeFailed on timeout or at its end."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "do": name, **about})
        try:
            async with asyncio.timeout(seconds):
                self._process.stdin.write(f"{line}\n".encode())
                self._end_waiting()
                return await answer
        except TimeoutError:
            raise NodeFailed(self._describe(f"did not {name} within {seconds:.0f} s")) from None
        finally:
            del self._answers[number]

    async def end(self) -> None:
        """End the process, if it was started."""
        if self._process is not None and self._reading is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._reading
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "news" in said:
                self.news.set()
            elif (waiting := self._answers.get(said["id"])) and not waiting.done():
                waiting.set_result(said["answer"])
        await self._process.wait()
        self.news.set()
        self._end_waiting()

    def _end_waiting(self) -> None:
        """Fail all waiting commands if the process has ended."""
        assert self._process is not None
        if self._process.returncode is not None:
            failure = NodeFailed(self._describe(f"ended with {self._process.returncode}"))
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(failure)

    def _describe(self, what: str) -> str:
        return f"the clients' process {what}:\n{self._log.read_text()[-LAST_CHARACTERS:]}"


def _watch(told: Sequence[Sequence[Any]], **facts: Any) -> Watch:
    return Watch(told=Counter({(label, pk): times for label, pk, times in told}), **facts)
