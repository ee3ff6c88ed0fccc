"""Two server processes on one database, clients that reconnect, and the commands."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from tests.convergence.imitation.live import Live
from tests.convergence.imitation.news import News
from tests.convergence.imitation.subscription import Options
from tests.convergence.imitation.tools import Tools
from tests.convergence.processes import ROOT, Answering, Process
from tests.convergence.proxy import Proxy
from tests.convergence.site import Site

PATIENCE = 30.0
PACE = 0.1
"""The waits of clients are a tenth of a browser's."""
LIST = "list:61"
"""The topic of each sentinel; see `board.commands`."""


class Watcher:
    """A client of one topic, which connects to the servers in turn."""

    def __init__(self, ports: list[int], first: int, topic: str = LIST) -> None:
        self.told: set[str] = set()
        self.tools = Tools(Random(first), pace=PACE)
        turns = cycle([*ports[first:], *ports[:first]])
        self.live = Live(lambda: f"ws://127.0.0.1:{next(turns)}/ws/live/", self.tools)
        self.live.subscribe(topic, Options(), self._note)

    @property
    def resets(self) -> int:
        """How often it was reset."""
        return sum(count for kind, count in self.tools.counts.items() if kind.startswith("reset"))

    @property
    def lost(self) -> list[int]:
        """The close codes of its connections, without failed attempts."""
        ended = (what for _, kind, what in self.tools.events if kind == "lost")
        return [what["code"] for what in ended if what["state"] == "open"]

    async def end(self) -> None:
        self.live.connection.close()
        await self.tools.end()

    async def _note(self, news: News) -> None:
        self.told |= news.pks


class TwoServers:
    """Their processes, the ports of the proxies before them, and actions beside them."""

    def __init__(self, site: Site, processes: list[Process], ports: list[int]) -> None:
        self.processes = processes
        self.ports = ports
        self.watchers: list[Watcher] = []
        self._environment = site.environment()
        self._writer = Answering(["-m", "tests.convergence.board.commands"], self._environment)

    @property
    def names(self) -> list[str]:
        """The processes' names, in the order of their start."""
        return [f"{socket.gethostname()}:{each.pid}" for each in self.processes]

    async def write(self) -> str:
        """Write a row to LIST, in a process of its own; return its key."""
        return str(await self._writer.ask("sentinel"))

    async def watch(self, count: int, server: int, topic: str = LIST) -> list[Watcher]:
        """Connect clients, to this server first; return when they are live."""
        came = [Watcher(self.ports, server, topic) for _ in range(count)]
        self.watchers += came
        await until(lambda: all(each.live.state == "live" for each in came))
        return came

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run a management command; return its exit code and its output."""
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "django", *arguments),
            cwd=ROOT,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await running.communicate()
        assert b"Traceback" not in err, err.decode()
        return running.returncode or 0, out.decode() + err.decode()

    async def end(self) -> None:
        for watcher in self.watchers:
            await watcher.end()
        await self._writer.end()


@asynccontextmanager
async def two_servers(
    folder: Path, kind: str = "web", redis: str = ""
) -> AsyncIterator[TwoServers]:
    """Serve the board by two processes, each behind a proxy of its own."""
    backend, urls = ("redis", [redis]) if redis else ("database", [])
    site = Site(str(folder / "board.sqlite3"), backend, str(folder), urls, heartbeat=2.0)
    processes = [Process(kind, number, folder, site.environment()) for number in (1, 2)]
    proxies = [Proxy(each.socket, Random(1)) for each in processes]
    servers = TwoServers(site, processes, [await proxy.start() for proxy in proxies])
    try:
        await servers._writer.ask("prepare")
        await asyncio.gather(*(each.start() for each in processes))
        yield servers
    finally:
        await servers.end()
        for proxy in proxies:
            await proxy.close()
        for process in processes:
            process.kill()


async def until(holds: Any) -> None:
    """Wait until a condition holds, up to a deadline."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


async def ended(process: Process) -> None:
    """Wait until a process has ended."""
    assert await process.ended(PATIENCE) is not None, os.fspath(process.log)
