"""The processes of a round: database, web servers behind proxies, writers; all end with it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.convergence.processes import KINDS, Answering, Process
from tests.convergence.proxy import Proxy
from tests.convergence.redis_side import RedisSide
from tests.convergence.site import BACKENDS, Site
from tools.postgres import Postgres

DATABASES = ("sqlite", "postgres")
SHORT_HISTORY, LONG_HISTORY = 300, 20_000
"""Messages that a broker keeps."""


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of clients, web servers and writers."""

    clients: int = 16
    webs: int = 3
    writers: int = 2
    rate: float = 6.0
    """Transactions a second of each writer."""


class World:
    """The processes and proxies of one round; an async context manager."""

    def __init__(self, database: str, site: Site, size: Size, seed: int, *, raw: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergence-"))
        self.database = database
        self.size = size
        self.facts: dict[str, Any] = {}
        self.ports: list[int] = []
        self.proxies: list[Proxy] = []
        self.database_proxy: Proxy | None = None
        self.postgres: Postgres | None = None
        self.redis: RedisSide | None = None
        self.processes: dict[str, list[Process]] = {kind: [] for kind in KINDS}
        self._site = site
        self._seed = seed
        self._raw = raw
        self._stack = AsyncExitStack()
        # Linux ends PostgreSQL with the thread that started it, so that thread must stay.
        self._keeper = ThreadPoolExecutor(1)

    @property
    def targets(self) -> dict[str, int]:
        """Kind of target -> number of targets, for the plan of faults."""
        numbers = {kind: len(processes) for kind, processes in self.processes.items()}
        redis = self.redis.targets if self.redis else {}
        others = {"clients": len(self.proxies), "database": int(bool(self.postgres))}
        return {**numbers, **others, **redis}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.every_process():
            process.kill()
        await self._stack.aclose()
        self._keeper.shutdown()

    def every_process(self) -> Iterator[Process]:
        """Yield all processes of the product, of all kinds."""
        for processes in self.processes.values():
            yield from processes

    async def command(self, name: str) -> Any:
        """Run one of `board.commands` in a process of its own; return its result."""
        return await self._commands.ask(name)

    async def with_postgres(self, method: str) -> None:
        """Call a method of the PostgreSQL server in its own thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._keeper, getattr(self.postgres, method))

    def remove(self) -> None:
        """Delete the folder with the processes' files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _start(self) -> None:
        url, served_url = await self._start_database()
        site = replace(self._site, folder=str(self.folder), redis=await self._start_redis())
        self.direct = replace(site, database=url)
        environment = replace(site, database=served_url).environment()
        commands = ["-m", "tests.convergence.board.commands"]
        self._commands = Answering(commands, self.direct.environment())
        self._stack.push_async_callback(self._commands.end)
        numbers = {
            **BACKENDS[site.backend].processes,
            "web": self.size.webs,
            "writer": self.size.writers,
        }
        facts = {
            "rate": self.size.rate,
            "raw": "yes" if self._raw else "no",
            "seed": self._seed,
            "history": SHORT_HISTORY if site.short else LONG_HISTORY,
        }
        for kind, number in numbers.items():
            # Only writers connect to the database directly, and others through its proxy.
            where = self._for_writers().environment() if kind == "writer" else environment
            self.processes[kind] = [
                Process(kind, each, self.folder, where, **facts) for each in range(1, number + 1)
            ]
        await asyncio.gather(*(process.start() for process in self.processes["broker"]))
        self.facts = await self.command("prepare")
        served = [process for kind in ("web", "relay") for process in self.processes[kind]]
        await asyncio.gather(*(process.start() for process in served))
        for web in self.processes["web"]:
            proxy = Proxy(web.socket, Random(f"{self._seed}/{web.name}"))
            self.proxies.append(proxy)
            self.ports.append(await self._listen(proxy))

    async def _start_redis(self) -> Sequence[str]:
        """Start Redis if the backend needs it; return its URLs."""
        kind = BACKENDS[self._site.backend].redis
        if not kind:
            return ()
        self.redis = RedisSide(kind, self.folder, self._seed)
        self._stack.push_async_callback(self.redis.stop)
        await self.redis.start()
        return self.redis.urls

    def _for_writers(self) -> Site:
        redis = self.redis.urls_of_writers if self.redis else ()
        return replace(self.direct, redis=redis)

    async def _start_database(self) -> tuple[str, str]:
        """Start the database; return its URL, and the URL through its proxy."""
        if self.database == "sqlite":
            path = str(self.folder / "board.sqlite3")
            return path, path
        self.postgres = Postgres(durable=True)
        self._stack.push_async_callback(self.with_postgres, "__exit__")
        await self.with_postgres("start")
        socket = self.postgres.folder / ".s.PGSQL.5432"
        self.database_proxy = Proxy(socket, Random(f"{self._seed}/database"))
        port = await self._listen(self.database_proxy)
        return self.postgres.url, f"postgres://postgres@127.0.0.1:{port}/postgres"

    async def _listen(self, proxy: Proxy) -> int:
        port = await proxy.start()
        self._stack.push_async_callback(proxy.close)
        return port
