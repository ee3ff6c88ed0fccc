"""Two server processes on one database, clients that reconnect, and the commands."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.convergence.node_crowd import Client, NodeCrowd
from tests.convergence.processes import ROOT, Answering, Process
from tests.convergence.proxy import Proxy
from tests.convergence.site import Site

PATIENCE = 100.0
"""Seconds for one step of clients, commands or processes."""
PACE = 0.1
"""The factor by which clients' waits are shorter than in a browser."""
LIST = "list:61"
"""The topic of each sentinel; see `board.commands`."""


class Watcher:
    """A client of one topic, which connects to the servers in turn."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def live(self) -> bool:
        """Whether it is connected and subscribed."""
        return self._client.state == "live"

    @property
    def told(self) -> set[str]:
        """The keys of the rows whose changes it received."""
        return {pk for watch in self._client.watches for _, pk in watch.told}

    @property
    def resets(self) -> int:
        """The number of resets that it received."""
        counts = self._client.counts
        return sum(count for kind, count in counts.items() if kind.startswith("reset "))

    @property
    def lost(self) -> list[int]:
        """The close codes of its connections; failed attempts to connect do not count."""
        ended = (what for _, kind, what in self._client.events if kind == "lost")
        return [what["code"] for what in ended if what["open"]]


class TwoServers:
    """Two server processes behind proxies, with their clients, a writer and the commands."""

    def __init__(
        self, folder: Path, site: Site, processes: list[Process], ports: list[int]
    ) -> None:
        self.processes = processes
        self.ports = ports
        self.watchers: list[Watcher] = []
        self._folder = folder
        self._crowds: list[NodeCrowd] = []
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
        """Connect clients, to this server first; return when they are subscribed."""
        names = [f"watcher {len(self.watchers) + each}" for each in range(count)]
        about = {"kind": "watcher", "person": "0", "topics": [topic], "first": server}
        specs = [{**about, "name": each, "seed": each, "choice": []} for each in names]
        crowd = NodeCrowd(specs, self._folder / f"{names[0]}.log")
        self._crowds.append(crowd)
        await crowd.start(self.ports, PACE, PATIENCE)
        came = [Watcher(client) for client in crowd.clients]
        self.watchers += came
        return came

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition of the watchers holds, up to a deadline."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for crowd in self._crowds:
                    await crowd.look()
                    await crowd.tell()
                if holds():
                    return
                await asyncio.sleep(0.05)

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

    async def end_watchers(self) -> None:
        """End all clients."""
        for crowd in self._crowds:
            await crowd.end()
        self._crowds.clear()
        self.watchers.clear()

    async def end(self) -> None:
        """End the clients and the writer."""
        await self.end_watchers()
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
    servers = TwoServers(folder, site, processes, [await proxy.start() for proxy in proxies])
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


async def ended(process: Process) -> None:
    """Wait until a process has ended."""
    assert await process.ended(PATIENCE) is not None, os.fspath(process.log)
