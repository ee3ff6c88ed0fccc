"""Two server processes behind one nginx, and requests to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.convergence.processes import KINDS, Kind, Process
from tests.convergence.site import Site
from tests.deploy.certificate import make_certificate, trusting
from tests.deploy.documented import nginx_site, server_command
from tests.realtime.socket_client import SocketClient, connected_to
from tests.realtime.two_servers import TwoServers
from tools.nginx import Nginx

PATIENCE = 60.0
"""Seconds for one request, its response included."""
HEALTH = b"GET /live/health/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
"""The request that a server answers with 200 when it accepts clients."""

for _kind in ("uvicorn", "daphne"):
    _command = server_command(_kind, Path("{folder}/{name}.sock"))
    KINDS[f"unit-{_kind}"] = Kind(tuple(_command), HEALTH, b"HTTP/1.1 200")


@dataclass(frozen=True)
class NginxResponse:
    """A response of nginx."""

    status: int
    headers: Mapping[str, str]
    body: str


class Deployment(TwoServers):
    """Two servers behind nginx; clients connect to nginx."""

    def __init__(self, site: Site, processes: list[Process], nginx: Nginx, folder: Path) -> None:
        super().__init__(folder, site, processes, [nginx.port])
        self.nginx = nginx
        self.folder = folder

    @property
    def host(self) -> str:
        """Host and port for clients."""
        return f"127.0.0.1:{self.nginx.port}"

    async def ask(self, path: str, by: str = "", **headers: str) -> NginxResponse:
        """GET a path; return the whole response."""
        async with self.open(path, by, **headers) as reader:
            status, named = await read_head(reader)
            body = await reader.read()
        return NginxResponse(status, named, body.decode())

    @asynccontextmanager
    async def open(
        self, path: str, by: str = "", **headers: str
    ) -> AsyncIterator[asyncio.StreamReader]:
        """GET a path; the caller reads the response, all within PATIENCE.

        `by` names another listener than the clients' port: `http` or `https`.
        """
        wanted = {"Host": self.host, "Connection": "close", **headers}
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in wanted.items()]
        async with asyncio.timeout(PATIENCE):
            reader, writer = await self._connect(by)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
                yield reader
            finally:
                writer.transport.abort()

    async def _connect(self, by: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not by:
            return await asyncio.open_connection("127.0.0.1", self.nginx.port)
        secured = {"ssl": trusting(self.folder), "server_hostname": "127.0.0.1"}
        options: dict[str, Any] = secured if by == "https" else {}
        return await asyncio.open_unix_connection(self.folder / f"{by}.sock", **options)

    @asynccontextmanager
    async def socket(self, origin: str | None = "", **options: Any) -> AsyncIterator[SocketClient]:
        """Open a websocket as a page of this site, or of `origin`; None for a program."""
        url = f"http://{self.host}"
        options["origin"] = url if origin == "" else origin
        async with connected_to(url, **options) as socket:
            yield socket

    async def say(self, *arguments: str) -> None:
        """Run a management command that must succeed."""
        code, printed = await self.command(*arguments)
        assert code == 0, printed


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return a response's status and headers, their names in lower case."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines if line)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


@asynccontextmanager
async def deployed(folder: Path, kind: str) -> AsyncIterator[Deployment]:
    """Serve the board by two processes of this kind behind nginx."""
    site = Site(str(folder / "board.sqlite3"), folder=str(folder), heartbeat=2.0)
    environment = site.environment() | {"DJANGO_SETTINGS_MODULE": "tests.deploy.settings"}
    processes = [Process(f"unit-{kind}", number, folder, environment) for number in (1, 2)]
    (folder / "static").mkdir()
    make_certificate(folder)
    nginx = Nginx(nginx_site([each.socket for each in processes], folder), folder)
    servers = Deployment(site, processes, nginx, folder)
    try:
        with nginx:
            await servers._writer.ask("prepare")
            await asyncio.gather(*(each.start() for each in processes))
            yield servers
    finally:
        await servers.end()
        for process in processes:
            process.kill()
