"""Private Redis servers for tests: one, one with a replica, or a cluster.

    with RedisServer() as server:          # server.url
        server.kill()                      # as a crash does
        server.start()                     # on the same data, if it was made durable
    with RedisCluster(replicas=1) as cluster:   # cluster.urls, cluster.servers

Each listens on a port that was free, keeps what it has in a folder of its own under /tmp, and ends
with whoever started it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from redis import Redis

READY_WITHIN = 30.0
SLOTS = 16384
NODE_TIMEOUT = 2000
"""Milliseconds until a cluster's nodes hold one of them for dead."""
PR_SET_PDEATHSIG = 1


class RedisMissing(RuntimeError):
    """There is no redis-server to run."""


def find_redis() -> str:
    """Return the path of a redis-server: REDIS_SERVER, or the one on PATH."""
    found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if found is None:
        raise RedisMissing(
            "redis-server is missing: install Redis 7 or newer (Debian/Ubuntu: apt-get install"
            " redis-server), or set REDIS_SERVER to its path."
        )
    return found


class RedisServer:
    """One server. Not running until `start()`; `durable=True` appends what it is told to a file.

    `tls` are the options of its second port, `tls_port`.
    """

    def __init__(
        self,
        *options: str,
        durable: bool = False,
        clustered: bool = False,
        tls: Sequence[str] = (),
    ) -> None:
        self.port, self._held = _free_port()
        # The bus's default, 10,000 above the port, may be none.
        self.bus_port, self._held_for_bus = _free_port()
        self._options = options
        self._durable = durable
        self._clustered = clustered
        self._tls = tls
        self.tls_port, self._held_for_tls = _free_port()
        self._process: subprocess.Popen[Any] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="livequery-redis-", dir="/tmp"))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Was it started, and not ended?"""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._let_go_of_ports()
        command = [find_redis(), *self._command_line()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the tests, which still need it
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- one system call
            )
        deadline = time.monotonic() + READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Redis did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.01)

    def _command_line(self) -> list[str]:
        line = [
            "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--save", "", "--appendonly", "yes" if self._durable else "no", "--appendfsync", "no",
            "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes", *self._options,
        ]  # fmt: skip
        if self._clustered:
            line += [
                "--cluster-enabled", "yes", "--cluster-port", str(self.bus_port),
                "--cluster-node-timeout", str(NODE_TIMEOUT),
            ]  # fmt: skip
        if self._tls:
            line += ["--tls-port", str(self.tls_port), *self._tls]
        return line

    def _let_go_of_ports(self) -> None:
        self._held.close()
        self._held_for_bus.close()
        self._held_for_tls.close()

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let it hang: connections are accepted by the system, and never answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, *command: object, timeout: float = READY_WITHIN) -> Any:
        """Send a command and return the reply, on a connection of its own."""
        with Redis(port=self.port, decode_responses=True, socket_timeout=timeout) as client:
            return client.execute_command(*command)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._let_go_of_ports()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


class RedisCluster:
    """So many primaries, each with so many replicas. `servers` holds the primaries first."""

    def __init__(self, *options: str, primaries: int = 3, replicas: int = 1) -> None:
        self._primaries = primaries
        self._replicas = replicas
        count = primaries * (1 + replicas)
        self.servers = [RedisServer(*options, clustered=True) for _ in range(count)]

    @property
    def urls(self) -> list[str]:
        """Where its servers listen."""
        return [server.url for server in self.servers]

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                server.start()
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.__exit__()

    @property
    def primaries(self) -> list[RedisServer]:
        """Those that began as primaries."""
        return self.servers[: self._primaries]

    def is_well(self) -> bool:
        """Do all servers that run agree that all slots are served?"""
        running = [server for server in self.servers if server.runs]
        return all(each.ask("CLUSTER INFO")["cluster_state"] == "ok" for each in running)

    def _join(self) -> None:
        first, *others = self.servers
        count = self._primaries
        for number, server in enumerate(self.servers[: self._primaries]):
            share = range(number * SLOTS // count, (number + 1) * SLOTS // count)
            server.ask("CLUSTER", "ADDSLOTSRANGE", share[0], share[-1])
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in others:
            server.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus_port)
        wait_until("the nodes to meet", self._all_met)
        for number, server in enumerate(self.servers[self._primaries :]):
            primary = self.servers[number % count]
            server.ask("CLUSTER", "REPLICATE", primary.ask("CLUSTER", "MYID"))
        wait_until("the cluster", self.is_ready)

    def is_ready(self) -> bool:
        """Are all slots served, and does each primary have its replicas?"""
        if not self.is_well():
            return False
        replication = [server.ask("INFO", "replication") for server in self.primaries]
        return all(each["connected_slaves"] == self._replicas for each in replication)

    def _all_met(self) -> bool:
        known = [each.ask("CLUSTER INFO")["cluster_known_nodes"] for each in self.servers]
        return all(int(count) == len(self.servers) for count in known)


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until `is_so()`; raise RuntimeError if that takes too long."""
    deadline = time.monotonic() + READY_WITHIN
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited for {what} in vain")
        time.sleep(0.02)


def _free_port() -> tuple[int, socket.socket]:
    """Return a port that is free, and the socket that keeps it so until it is needed."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1], held


def _end_with_parent() -> None:
    """Let Linux end this process with its parent's, however that ends: no orphan stays."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
