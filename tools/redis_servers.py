"""Private Redis servers for tests: one, one with a replica, or a cluster.

    with RedisServer() as server:          # server.url
        server.kill()                      # as a crash does
        server.start()                     # on the same data, if it was made durable
    with RedisCluster(replicas=1) as cluster:   # cluster.urls, cluster.servers

Each listens on a free port, keeps its data in a folder of its own under /tmp, and ends
with its parent process.
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
"""Milliseconds without an answer after which a cluster's nodes count a node as failed."""
PR_SET_PDEATHSIG = 1


class RedisMissing(RuntimeError):
    """No redis-server was found."""


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
    """One server. It runs after `start()`; with `durable=True` it appends its commands to a file.

    `tls` holds the options of its second port, `tls_port`.
    """

    def __init__(
        self,
        *options: str,
        durable: bool = False,
        clustered: bool = False,
        tls: Sequence[str] = (),
    ) -> None:
        self.port, self._held = _free_port()
        # The bus's default port, 10,000 above, may not exist.
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
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """True between its start and its end."""
        return self._process is not None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._let_go_of_ports()
        command = [find_redis(), *self._command_line()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C must end the tests, which still need it
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
        """End the server as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Make the server hang: the system accepts connections, and no command is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a frozen server."""
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
    """`primaries` primaries with `replicas` replicas each. `servers` holds the primaries first."""

    def __init__(self, *options: str, primaries: int = 3, replicas: int = 1) -> None:
        self._primaries = primaries
        self._replicas = replicas
        count = primaries * (1 + replicas)
        self.servers = [RedisServer(*options, clustered=True) for _ in range(count)]

    @property
    def urls(self) -> list[str]:
        """The URLs of its servers."""
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
        """The servers that began as primaries."""
        return self.servers[: self._primaries]

    def is_well(self) -> bool:
        """True if all running servers report that all slots are served."""
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
        """True if all slots are served and each primary has its replicas."""
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
    """Return a free port, and the socket that reserves it until it is needed."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1], held


def _end_with_parent() -> None:
    """Make Linux kill this process when its parent ends, so that no orphan remains."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
