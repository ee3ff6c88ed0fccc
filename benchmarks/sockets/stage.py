"""A server under load: its process, its Redis, its clients and its publisher."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from benchmarks.sockets import node
from benchmarks.sockets.processes import LOAD_CORE, ROOT, SERVER_CORE, Process, pin
from tools.redis_servers import RedisServer

PEERS = {
    "bare": "bare ASGI loop",
    "ours": "ours",
    "pubsub": "channels_redis pubsub",
    "core": "channels_redis core",
    "socketio": "Socket.IO, Redis adapter",
}
APPLICATIONS = {"bare": "bare", "ours": "ours", "pubsub": "consumer", "core": "consumer"}
LAYERS = ("pubsub", "core")
SERVERS = ("uvicorn", "daphne")

BACKLOG = 4096
LONG = "100000"
"""Seconds between the servers' own pings, so that they do not close clients that do not read."""


class Stage:
    """One peer on one server. Once entered, it is ready for clients.

    `send_buffer` bounds the bytes that the system buffers for a client that does not read. Each
    client sends `cookie`, of a session in `database`. `application` and `dialect` replace the
    peer's usual ones.
    """

    def __init__(
        self,
        peer: str,
        server: str,
        *,
        send_buffer: int = 0,
        cookie: str = "",
        database: Path | None = None,
        application: str = "",
        dialect: str = "",
    ) -> None:
        self._peer = peer
        self._database = database
        self._application = application or APPLICATIONS.get(peer, "")
        self._kind = server
        self._dialect = dialect or peer
        self._send_buffer = send_buffer
        self._cookie = cookie
        self._stack = ExitStack()
        self.redis: RedisServer | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, count: int, topics: int = 1, **others: Any) -> dict[str, Any]:
        """Connect clients."""
        return self._client("open", count=count, topics=topics, **others)

    def forget(self, nap: float = 0, numbers: bool = True) -> None:
        """Discard the clients' logs; with `numbers`, restart the numbers of messages too."""
        if numbers:
            self._sent = 0
        self.client.do("forget", nap=nap)

    def publish(self, count: int, rate: float = 0, topics: int = 1, rows: int = 1) -> int:
        """Publish messages, flat out or `rate` a second; return the last one's number."""
        numbers = {"count": count, "rate": rate, "topics": topics, "rows": rows}
        self.publisher.do("publish", first=self._sent, **numbers)
        self._sent += count
        return self._sent - 1

    def warm_up(self, topics: int = 1) -> None:
        """Send every client a message, so that shared objects have been created."""
        clients = self.client.do("forget")["clients"]
        self.publish(topics, topics=topics)
        self.client.do("receive", expected=clients)
        self.forget()

    def _start(self) -> None:
        environment = {"DJANGO_SETTINGS_MODULE": "benchmarks.sockets.settings"}
        if self._database:
            environment["BENCH_DB"] = str(self._database)
        url = ""
        if self._peer != "bare":
            self.redis = self._stack.enter_context(RedisServer())
            pin(self.redis.pid, LOAD_CORE)
            url = self.redis.url
            environment["REDIS_URL"] = url
        if self._peer in LAYERS:
            environment["BENCH_LAYER"] = self._peer
        with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
            if self._send_buffer:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
            port, fd = listener.getsockname()[1], listener.fileno()
            where = {"environment": environment, "cwd": self._folder}
            self.server = self._keep(
                Process(self._command(fd, url), SERVER_CORE, pass_fds=[fd], **where)
            )
        client = [self._dialect, port, *([self._cookie] if self._cookie else [])]
        self.client = self._keep(
            Process.python("benchmarks.sockets.client", *client, core=LOAD_CORE)
        )
        # The first client waits until the server runs, and makes it create shared objects.
        self.open(1)
        self.client.do("drop")
        self.publisher = self._keep(Process(self._publisher(port, url), LOAD_CORE, **where))
        self.publish(1)

    def _client(self, what: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self.client.do(what, **arguments)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.server.complaints()}") from error

    def _keep(self, process: Process) -> Process:
        return self._stack.enter_context(process)

    @property
    def _folder(self) -> Path:
        return node.folder() if self._peer == "socketio" else ROOT

    def _command(self, fd: int, url: str) -> list[object]:
        scripts = Path(__file__).parent / "servers"
        if self._peer == "socketio":
            return ["node", scripts / "socketio.cjs", url, fd]
        name = f"benchmarks.sockets.servers.{self._application}:application"
        options = {
            "uvicorn": [
                "--log-level", "warning", "--ws", "websockets-sansio",
                "--ws-per-message-deflate", "false",
                "--ws-ping-interval", LONG, "--ws-ping-timeout", LONG,
            ],
            "daphne": ["--verbosity", "0", "--ping-interval", LONG, "--ping-timeout", LONG],
        }  # fmt: skip
        return [sys.executable, "-m", self._kind, "--fd", fd, *options[self._kind], name]

    def _publisher(self, port: int, url: str) -> list[object]:
        if self._peer == "socketio":
            return ["node", Path(__file__).parent / "servers" / "socketio_publisher.cjs", url]
        return [sys.executable, "-m", "benchmarks.sockets.publisher", self._peer, port]
