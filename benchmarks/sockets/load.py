"""Many websockets in one loop over epoll, with a log of the messages received."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable

from benchmarks.sockets.dialects import Dialect
from benchmarks.sockets.messages import STAMP_START
from benchmarks.sockets.wire import CLOSE, END_OF_HEAD, PING, PONG, frame, handshake, split

CURSOR = re.compile(rb'"cursor":"([^"]+)"')
LARGEST_READ = 1 << 18


class Client:
    """One socket. `log` holds each frame with a message, and the nanosecond of its reading."""

    __slots__ = (
        "began",
        "cursor",
        "is_joined",
        "is_open",
        "log",
        "refused_after",
        "rest",
        "socket",
        "topic",
    )

    def __init__(self, number: int) -> None:
        self.topic = number
        self.socket = socket.socket()
        self.rest = b""
        self.cursor = ""
        self.is_open = self.is_joined = False
        self.log: list[tuple[int, bytes]] = []
        self.began = time.monotonic()
        self.refused_after: float | None = None
        """Seconds from connecting until its subscription was denied or revoked."""


class Load:
    """The sockets of one process, all to one server."""

    def __init__(self, dialect: Dialect, port: int, cookie: str = "") -> None:
        self.clients: dict[int, Client] = {}
        self.told = 0
        """Messages received by all clients; repeats are counted."""
        self.closed = self.refused = 0
        self.joined = self.not_allowed = 0
        self.last_news = 0
        self.nap = 0.0
        """Seconds to sleep before each poll."""
        self._dialect = dialect
        self._port = port
        self._cookie = cookie
        self._epoll = select.epoll()
        self._buffer = memoryview(bytearray(LARGEST_READ))

    def listen_to(self, fd: int) -> None:
        """Include this file descriptor in `poll()`."""
        self._epoll.register(fd, select.EPOLLIN)

    def open(self, number: int, cursor: str = "", receive_buffer: int = 0) -> None:
        """Connect a client and send the request for a websocket."""
        client = Client(number)
        client.cursor = cursor
        if receive_buffer:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.socket.connect(("127.0.0.1", self._port))
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.socket.setblocking(False)
        client.socket.send(handshake(self._port, self._dialect.path(number), self._cookie))
        self.clients[client.socket.fileno()] = client
        self._epoll.register(client.socket.fileno(), select.EPOLLIN)

    def poll(self, timeout: float) -> bool:
        """Read the sockets; return whether another file descriptor can be read."""
        if self.nap:
            time.sleep(self.nap)
        others = False
        for fd, _ in self._epoll.poll(timeout, 1024):
            client = self.clients.get(fd)
            if client is None:
                others = True
            else:
                self._read(client)
        return others

    def stop_reading(self, clients: Iterable[Client]) -> None:
        """Stop reading from these clients: their data stays in the system's buffers."""
        for client in clients:
            if client.is_open:
                self._epoll.unregister(client.socket.fileno())

    def read_on(self, clients: Iterable[Client]) -> None:
        """Read from these clients again."""
        for client in clients:
            if client.is_open:
                self._epoll.register(client.socket.fileno(), select.EPOLLIN)

    def drop_all(self) -> list[Client]:
        """Close all sockets; return the clients, each with its latest cursor."""
        dropped = list(self.clients.values())
        for client in dropped:
            if client.log:
                self._note_cursor(client, client.log[-1][1])
            client.socket.close()
        self.clients.clear()
        self.joined = self.told = self.not_allowed = 0
        return dropped

    def forget(self) -> None:
        """Discard all logs."""
        self.told = 0
        for client in self.clients.values():
            client.log = []

    def _read(self, client: Client) -> None:
        try:
            size = client.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._close(client)
            return
        now = time.monotonic_ns()
        data = client.rest + self._buffer[:size]
        if not client.is_open:
            head, end, data = data.partition(END_OF_HEAD)
            if not end:
                client.rest = head
                return
            self._note_answer(client, head)
            if not client.is_open:
                return
        frames, client.rest = split(data)
        for opcode, payload in frames:
            if STAMP_START in payload or b'"reset":' in payload:
                client.log.append((now, payload))
                self.told += payload.count(STAMP_START)
                self.last_news = now
            else:
                self._other(client, opcode, payload)

    def _note_answer(self, client: Client, head: bytes) -> None:
        if head.startswith(b"HTTP/1.1 403"):
            # daphne responds so to a client that waited for too long.
            self._close(client)
            return
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"expected a websocket, got {head!r}")
        client.is_open = True
        if said := self._dialect.opening(client.topic, client.cursor):
            client.socket.send(said)

    def _other(self, client: Client, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            client.socket.send(frame(payload, PONG))
        elif opcode == CLOSE:
            self._close(client)
        elif self._dialect.is_refused(payload):
            client.refused_after = time.monotonic() - client.began
            self.not_allowed += 1
            # Its answer has come, if it waited for one.
            self.joined += not client.is_joined
            client.is_joined = True
        elif not client.is_joined and self._dialect.is_joined(payload):
            client.is_joined = True
            self.joined += 1
            self._note_cursor(client, payload)
        elif answer := self._dialect.answer(payload, client.topic):
            client.socket.send(answer)
        else:
            self._note_cursor(client, payload)

    def _note_cursor(self, client: Client, payload: bytes) -> None:
        if found := CURSOR.findall(payload):
            client.cursor = found[-1].decode()

    def _close(self, client: Client) -> None:
        """Drop a closed client; one that was not subscribed yet connects again."""
        if client.socket.fileno() == -1:
            return
        self.clients.pop(client.socket.fileno(), None)
        client.socket.close()
        client.is_open = False
        if client.is_joined:
            self.closed += 1
        else:
            self.refused += 1
            self.open(client.topic, client.cursor)
