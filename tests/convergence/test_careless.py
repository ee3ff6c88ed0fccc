"""Responses that overtake each other, from a server whose every response the test releases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.convergence.node_crowd import NodeCrowd
from tests.convergence.sabotage import CARELESS, CLIENT_SABOTAGES, STATIC, patched_static

pytestmark = pytest.mark.timeout(600)

PATIENCE = 180.0
TOPIC = "list:1"
HEAD = {"url": "/ws/live/", "topics": [{"topic": TOPIC, "cursor": "c.0", "ticket": "t"}]}
SCRIPT = '<script id="{}" type="application/json">{}</script>'
REGION = (
    f'<live-region id="r" topic="{TOPIC}"><ul data-topic="{TOPIC}"><li data-pk="7">{{}}</li></ul>'
    "</live-region>"
)
SPECS: dict[str, Any] = {
    "page": {"kind": "page", "regions": [[TOPIC]]},
    "script": {"kind": "script", "topics": [TOPIC]},
}


class Server:
    """Serves one row, the number of its writes; each response waits for the test."""

    def __init__(self) -> None:
        self.written = 0
        self.asked: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        """For each fetch after the first: the event that releases its response."""
        self._has_loaded = False
        self._socket: ServerConnection | None = None

    async def answer(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer HTTP with the row as of the request's arrival."""
        if request.path.startswith("/ws/"):
            return None
        body = self._body(request.path)
        if self._has_loaded:
            may_answer = asyncio.Event()
            self.asked.put_nowait(may_answer)
            await may_answer.wait()
        self._has_loaded = True
        head = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        return Response(HTTPStatus.OK, "OK", head, body.encode())

    async def talk(self, socket: ServerConnection) -> None:
        """Welcome a client, and confirm its subscriptions."""
        self._socket = socket
        await self._tell("welcome", protocol=1, heartbeat=600)
        async for text in socket:
            if json.loads(text)["type"] == "subscribe":
                await self._tell("subscribed", topics={TOPIC: {"cursor": "c.0"}})

    async def write(self) -> None:
        """Write the row, and send the client its change."""
        self.written += 1
        changes = {"board.task": {"updated": ["7"]}}
        entry = {"changes": changes, "cursor": f"c.{self.written}"}
        await self._tell("changed", topics={TOPIC: entry})

    async def _tell(self, kind: str, **fields: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps({"type": kind, **fields}))

    def _body(self, path: str) -> str:
        row = {"7": [self.written]}
        if path.startswith("/rows/"):
            return json.dumps(row)
        rows = SCRIPT.format("rows", json.dumps({TOPIC: row}))
        return SCRIPT.format("live-head", json.dumps(HEAD)) + rows + REGION.format([self.written])


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, int]]:
    """A server, and its port."""
    made = Server()
    async with serve(
        made.talk, "127.0.0.1", 0, process_request=made.answer, open_timeout=None
    ) as listening:
        yield made, listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize("kind", SPECS)
async def test_clients_do_not_apply_a_response_that_was_overtaken(
    kind: str, server: tuple[Server, int], tmp_path: Path
) -> None:
    """They send the second request once they have the first response."""
    made, port = server
    async with asyncio.timeout(PATIENCE), _client(kind, STATIC, tmp_path, port) as crowd:
        first = await _written(made)
        await made.write()
        first.set()
        (await made.asked.get()).set()

        await _until(crowd, lambda: crowd.clients[0].settled)

    assert crowd.clients[0].shown == _row(2)


@pytest.mark.parametrize("kind", SPECS)
async def test_careless_clients_are_stale_and_claim_to_be_live(
    kind: str, server: tuple[Server, int], tmp_path: Path
) -> None:
    """The sabotaged clients: they apply the older response last."""
    made, port = server
    static = patched_static(tmp_path / "static", CLIENT_SABOTAGES[CARELESS])
    async with asyncio.timeout(PATIENCE), _client(kind, static, tmp_path, port) as crowd:
        first = await _written(made)
        second = await _written(made)
        second.set()
        await _until(crowd, lambda: crowd.clients[0].shown == _row(2))
        first.set()
        await _until(crowd, lambda: crowd.clients[0].shown == _row(1))
        await _until(crowd, lambda: crowd.clients[0].settled)

    assert crowd.clients[0].shown == _row(1)


def _row(number: int) -> dict[str, dict[str, list[int]]]:
    return {TOPIC: {"7": [number]}}


@asynccontextmanager
async def _client(kind: str, static: Path, folder: Path, port: int) -> AsyncIterator[NodeCrowd]:
    """Run a client; yield once it is settled."""
    spec = {"name": "client", "person": "1", "seed": "1", "choice": [TOPIC], **SPECS[kind]}
    crowd = NodeCrowd([spec], folder / "node.log", static)
    try:
        await crowd.start([port], 1.0, PATIENCE)
        await _until(crowd, lambda: crowd.clients[0].settled)
        yield crowd
    finally:
        await crowd.end()


async def _written(server: Server) -> asyncio.Event:
    """Write; return the event that releases the response to the fetch that follows."""
    await server.write()
    return await server.asked.get()


async def _until(crowd: NodeCrowd, holds: Callable[[], bool]) -> None:
    while True:
        await crowd.look()
        if holds():
            return
        await crowd.news.wait()
