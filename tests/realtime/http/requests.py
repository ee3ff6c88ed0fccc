"""Requests to the HTTP transports, in the form that a server passes on, with deadlines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler

from realtime.asgi import with_websockets
from tests.realtime.live_client import PATIENCE, cookie_of

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    data: Any
    id: str | None
    retry: int | None


class Request:
    """One GET. A part that does not arrive within the deadline fails the test."""

    def __init__(self, path: str, headers: Headers, method: str = "GET") -> None:
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *_encoded(headers)],
        }
        self.communicator = ApplicationCommunicator(with_websockets(ASGIHandler()), scope)
        self.status = 0
        self.headers: dict[str, str] = {}
        self._text = ""

    async def begin(self) -> Self:
        """Send the request."""
        await self.communicator.send_input({"type": "http.request", "body": b""})
        return self

    async def answered(self) -> Self:
        """Wait for the status and the headers."""
        start = await self.communicator.receive_output(PATIENCE)
        assert start["type"] == "http.response.start"
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self

    async def chunk(self) -> str:
        """Return the next part of the body; empty at its end."""
        output = await self.communicator.receive_output(PATIENCE)
        assert output["type"] == "http.response.body"
        text: str = output.get("body", b"").decode()
        assert text or not output.get("more_body")
        return text

    async def json(self) -> Any:
        """Return the whole body."""
        text = ""
        while part := await self.chunk():
            text += part
            if not self.headers.get("Transfer-Encoding") and _is_json(text):
                break
        return json.loads(text)

    async def event(self, name: str | None = None) -> Event:
        """Return the next event, which must have this name; skip comments."""
        while True:
            block, end, rest = self._text.partition("\n\n")
            if not end:
                part = await self.chunk()
                assert part, f"expected {name or 'an event'}, got the end"
                self._text += part
                continue
            self._text = rest
            found = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
            if found:
                break
        assert name in (None, found["event"]), f"expected {name}, got {found}"
        retry = int(found["retry"]) if "retry" in found else None
        return Event(found["event"], json.loads(found["data"]), found.get("id"), retry)

    async def ended(self) -> bool:
        """Return True if the stream has ended."""
        self._text = self._text or await self.chunk()
        return not self._text

    async def disconnect(self) -> None:
        """Disconnect, and wait until the server has noticed."""
        if not self.communicator.future.done():
            await self.communicator.send_input({"type": "http.disconnect"})
        await asyncio.wait_for(
            asyncio.gather(self.communicator.future, return_exceptions=True), PATIENCE
        )


def query(path: str, *topics: str, **fields: object) -> str:
    """Return a path with its query."""
    pairs = [("topic", topic) for topic in topics]
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, str(each)) for each in values]
    return f"/live/{path}/?{urlencode(pairs)}"


@asynccontextmanager
async def asking(
    user: User | None, path: str, headers: Headers | None = None, method: str = "GET"
) -> AsyncIterator[Request]:
    """Send a request as `user`, and disconnect at the end."""
    cookie = {"cookie": (await cookie_of(user)).decode()} if user else {}
    request = Request(path, {**cookie, **(headers or {})}, method)
    await request.begin()
    try:
        yield request
    finally:
        await request.disconnect()


async def answer(
    user: User | None, path: str, headers: Headers | None = None, method: str = "GET"
) -> tuple[int, Any]:
    """Send a request, and return the status and the JSON."""
    async with asking(user, path, headers, method) as request:
        await request.answered()
        return request.status, await request.json()


@asynccontextmanager
async def streaming(
    user: User | None, *topics: str, last: str | None = None, **fields: object
) -> AsyncIterator[Request]:
    """Open a stream, and take its `welcome`."""
    headers = {"last-event-id": last} if last is not None else {}
    async with asking(user, query("sse", *topics, **fields), headers) as request:
        await request.answered()
        assert request.status == 200, await request.json()
        await request.event("welcome")
        yield request


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
