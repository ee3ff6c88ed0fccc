"""A pubsub server in its own process: `python -m tests.contract.socket_server PATH [KEEP]`.

It keeps the newest KEEP messages, numbered, under an epoch that it draws at its start, and loses
all at its end. The protocol is one JSON object a line, in both directions, on a unix socket at
PATH. The server prints "ready" once it listens, and ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import secrets
import signal
import sys
from collections import deque
from typing import Any

PR_SET_PDEATHSIG = 1
MANY = 20_000
LIMIT = 64 * 1024 * 1024


class Server:
    """The history and the subscribers. Owner: the event loop."""

    def __init__(self, keep: int) -> None:
        self.epoch = secrets.token_urlsafe(9)
        self.sent = 0
        self.recent: deque[dict[str, Any]] = deque(maxlen=keep)
        self.listening: dict[asyncio.StreamWriter, set[str]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, request by request."""
        try:
            while line := await reader.readline():
                request = json.loads(line)
                answer = getattr(self, f"do_{request['do']}")(request, writer)
                self.write(writer, {"id": request.get("id"), **self.head(), **answer})
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.listening.pop(writer, None)
            writer.close()

    def head(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "head": self.sent}

    def write(self, writer: asyncio.StreamWriter, data: dict[str, Any]) -> None:
        writer.write(json.dumps(data).encode() + b"\n")

    def do_head(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        return {}

    def do_publish(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        for message in request["messages"]:
            self.sent += 1
            placed = {**message, "number": self.sent}
            self.recent.append(placed)
            for listener, topics in self.listening.items():
                if message["topic"] in topics:
                    self.write(listener, {"news": placed, "epoch": self.epoch})
        return {}

    def do_watch(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        """Send `topics` from now on, and new ones' messages since the position of the others."""
        watched = self.listening.setdefault(writer, set())
        new = set(request["topics"]) - watched
        watched |= new
        for placed in self.recent if request["since"] is not None else ():
            if placed["number"] > request["since"] and placed["topic"] in new:
                self.write(writer, {"news": placed, "epoch": self.epoch})
        return {}

    def do_unwatch(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        self.listening.setdefault(writer, set()).difference_update(request["topics"])
        return {}

    def do_replay(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        """Return the messages behind a position, or why completeness is not proven."""
        if request["epoch"] != self.epoch:
            return {"reason": "backend-restart"}
        digits = request["offset"]
        since = int(digits) if digits.isdecimal() and len(digits) < 16 else self.sent + 1
        if since > self.sent:
            return {"reason": "unknown-cursor"}
        if since < self.sent - len(self.recent):
            return {"reason": "history-expired"}
        topics = set(request["topics"])
        found = [each for each in self.recent if each["number"] > since]
        return {"messages": [each for each in found if each["topic"] in topics]}


async def main(path: str, keep: str | int = MANY) -> None:
    server = await asyncio.start_unix_server(Server(int(keep)).serve, path, limit=LIMIT)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != 1:
        asyncio.run(main(*sys.argv[1:]))
