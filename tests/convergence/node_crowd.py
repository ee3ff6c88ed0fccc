"""The Node process in which the clients of a round run, and what it said of them last."""

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
"""Seconds within which the process has to answer, but for what is asked of the servers."""
LAST_LINES = 3_000
"""Characters of its standard error that are told when it has ended."""

Event = tuple[float, str, dict[str, Any]]


class NodeFailed(Exception):
    """The process ended, or did not answer in time."""


@dataclass(slots=True)
class Watch:
    """One subscription: how often it was told of each row, by label and key, since when."""

    topic: str
    since: float
    told: Counter[tuple[str, str]]
    cursor: str | None = None
    confirmed: bool = False


@dataclass(slots=True, eq=False)
class Client:
    """A client as the process described it last."""

    name: str
    kind: str
    viewer: str
    """The key of the person who looks."""
    state: str = "loading"
    settled: bool = False
    """Does it believe that what it shows is true, and has it nothing to do?"""
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The rows that its user sees now, by topic."""
    denied: frozenset[str] = frozenset()
    """The topics of `shown` that it knows itself not to be told of."""
    counts: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)


class NodeCrowd:
    """Owns the process: one event loop's. Whatever it is asked has a deadline."""

    def __init__(
        self, specs: Sequence[Mapping[str, Any]], log: Path, static: Path = STATIC
    ) -> None:
        self.clients = [Client(each["name"], each["kind"], each["person"]) for each in specs]
        self.news = asyncio.Event()
        """Set when something happened since the last `look()`, and when the process has ended."""
        self._specs = specs
        self._log = log
        self._static = static
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    async def start(self, ports: Sequence[int], pace: float, seconds: float) -> None:
        """Start the process; return when every client shows something."""
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
        """Learn what each client shows and believes."""
        self.news.clear()
        portraits = await self.ask("look")
        for client in self.clients:
            if said := portraits.get(client.name):
                client.state, client.settled = said["state"], said["settled"]
                client.shown, client.denied = said["shown"], frozenset(said["denied"])

    async def tell(self) -> None:
        """Learn what happened to each client."""
        stories = await self.ask("tell")
        for client in self.clients:
            said = stories[client.name]
            client.counts, client.events = Counter(said["counts"]), said["events"]
            client.watches = [_watch(**each) for each in said["watches"]]

    async def ask(self, name: str, seconds: float = ANSWER_WITHIN, **about: Any) -> Any:
        """Return the answer to a command; raise NodeFailed if there is none in time."""
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
        """Fail whatever is asked of a process that has ended."""
        assert self._process is not None
        if self._process.returncode is not None:
            failure = NodeFailed(self._describe(f"ended with {self._process.returncode}"))
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(failure)

    def _describe(self, what: str) -> str:
        return f"the clients' process {what}:\n{self._log.read_text()[-LAST_LINES:]}"


def _watch(told: Sequence[Sequence[Any]], **facts: Any) -> Watch:
    return Watch(told=Counter({(label, pk): times for label, pk, times in told}), **facts)
