"""A backend outside the database, for tests: a client of `tests.contract.socket_server`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self

from realtime.backends.base import Upstream
from realtime.backends.inbox import Inbox
from realtime.backends.outbox import OutboxPubSub
from realtime.exceptions import CannotReplay, UpstreamLost
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tests.contract.socket_server import LIMIT

ROOT = Path(__file__).resolve().parents[2]


class SocketPubSub(OutboxPubSub):
    """Sends through the socket at `path`, waiting `timeout` seconds for an answer."""

    supports_replay: ClassVar[bool] = True

    def __init__(self, path: str, timeout: float = 2.0, **options: object) -> None:
        super().__init__(**options)
        self.path = path
        self.timeout = timeout

    def send(self, messages: Sequence[Message]) -> None:
        self._ask({"do": "publish", "messages": [_text(message) for message in messages]})

    def ask_position(self) -> Cursor:
        return _head(self._ask({"do": "head"}))

    def connect(self) -> SocketUpstream:
        return SocketUpstream(self.path)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask on a new connection: no process inherits it, and no error outlives it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self.timeout)
            connection.connect(self.path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = lines.readline()
        if not answer:
            raise ConnectionError("the server hung up")
        return json.loads(answer)


class SocketUpstream(Upstream):
    """Owner of its state: the event loop that made it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inbox: Inbox[Message] = Inbox()
        self._head: Cursor | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = count()
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        # All topics share one position: a new topic's messages behind it are sent now.
        since = int(self._head.offset) if self._head else None
        head = _head(await self._ask({"do": "watch", "topics": list(topics), "since": since}))
        self._head = self._head or head
        return self._head

    async def unwatch(self, topics: Iterable[Topic]) -> None:
        await self._ask({"do": "unwatch", "topics": list(topics)})

    async def receive(self) -> Sequence[Message]:
        messages = await self._inbox.take()
        self._head = messages[-1].cursor
        return messages

    def head(self) -> Cursor:
        assert self._head is not None
        return self._head

    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        place = {"epoch": since.epoch, "offset": since.offset}
        answer = await self._ask({"do": "replay", "topics": list(topics), **place})
        if "reason" in answer:
            raise CannotReplay(answer["reason"])
        return [_message(each, answer["epoch"]) for each in answer["messages"]]

    async def close(self) -> None:
        self._lose("the upstream was closed")
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._connecting:
            self._inbox.check()
            if self._writer is None:
                await self._connect()
        assert self._writer is not None
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({**request, "id": number}).encode() + b"\n")
        return await answer

    async def _connect(self) -> None:
        try:
            reader, self._writer = await asyncio.open_unix_connection(self._path, limit=LIMIT)
        except OSError as error:
            self._lose(f"cannot connect: {error}")
            raise UpstreamLost(f"cannot connect: {error}") from error
        self._inbox.check()
        self._listening = asyncio.create_task(self._listen(reader, self._writer))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
            self._lose("the server hung up")
        except OSError as error:
            self._lose(f"the connection broke: {error}")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self, data: dict[str, Any]) -> None:
        if "news" in data:
            self._inbox.put([_message(data["news"], data["epoch"])])
        elif not (answer := self._answers.pop(data["id"])).done():
            answer.set_result(data)

    def _lose(self, why: str) -> None:
        self._inbox.lose(why)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(UpstreamLost(why))
        self._answers.clear()


class SocketServer:
    """The server as a process that a test can start, stop, freeze and kill."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "pubsub.sock")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it listens; its history is empty."""
        Path(self.path).unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.contract.socket_server", self.path]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: the system accepts connections, and the server never answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it continue."""
        os.kill(self._pid, signal.SIGCONT)

    def told(self, topic: str = "list:5") -> list[str]:
        """Return the pks sent to a topic since the server started, in order."""
        return [pk for each in self.messages(topic) for pk in next(iter(each["changes"].values()))]

    def messages(self, *topics: str) -> list[dict[str, Any]]:
        """Return the messages sent since the server started."""
        pubsub = SocketPubSub(self.path)
        head = pubsub._ask({"do": "head"})
        place = {"epoch": head["epoch"], "offset": "0", "topics": topics}
        return pubsub._ask({"do": "replay", **place})["messages"]

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _text(message: Message) -> dict[str, Any]:
    changes = {label: dict(rows) for label, rows in message.changes.items()}
    rest = {"reset": message.reset, "extra": message.extra}
    return {"topic": message.topic, "changes": changes, **rest}


def _message(data: dict[str, Any], epoch: str) -> Message:
    cursor = Cursor(epoch, str(data["number"]))
    return Message(Topic(data["topic"]), data["changes"], data["reset"], cursor, data["extra"])


def _head(answer: dict[str, Any]) -> Cursor:
    return Cursor(answer["epoch"], str(answer["head"]))
