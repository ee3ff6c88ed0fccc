"""The clients' process: its end and its silence are errors, within a timeout."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.convergence.node_crowd import NodeCrowd, NodeFailed
from tests.convergence.sabotage import patched_static

pytestmark = pytest.mark.timeout(600)

PATIENCE = 180.0
SPEC = {"name": "client 1", "person": "1", "seed": "1", "choice": ["list:1"], "restless": False}
SCRIPT = SPEC | {"kind": "script", "topics": ["list:1"]}


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that accepts requests and does not answer."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


PAGE = """<script id="live-head" type="application/json">{"url": "/ws/live/"}</script>
<live-region topic="list:1"></live-region>"""


@pytest.fixture
async def serving() -> AsyncIterator[int]:
    """The port of a server that answers each request with a page of one region."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PAGE)}\r\n\r\n"
        writer.write((head + PAGE).encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[NodeCrowd]:
    """A process without clients."""
    made = NodeCrowd([], tmp_path / "node.log")
    await made.start([], 0.2, PATIENCE)
    yield made
    await made.end()


async def test_commands_to_a_killed_process_fail(crowd: NodeCrowd) -> None:
    """Later ones too; and a task that waits for news is woken."""
    os.kill(crowd.pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        await crowd.news.wait()

    for _ in range(2):
        with pytest.raises(NodeFailed, match="ended with -9"):
            await crowd.look()


async def test_commands_to_a_silent_process_fail(crowd: NodeCrowd) -> None:
    """After the timeout."""
    os.kill(crowd.pid, signal.SIGSTOP)

    with pytest.raises(NodeFailed, match="did not wake within 1 s"):
        await crowd.ask("wake", seconds=1)


async def test_clients_that_do_not_load_in_time_fail_the_start(silent: int, tmp_path: Path) -> None:
    """The process ends all the same."""
    crowd = NodeCrowd([SCRIPT], tmp_path / "node.log")
    try:
        with pytest.raises(NodeFailed, match="did not start within 2 s"):
            await crowd.start([silent], 0.2, seconds=2)
    finally:
        await crowd.end()

    with pytest.raises(ProcessLookupError):
        os.kill(crowd.pid, 0)


@pytest.mark.parametrize(
    "broken",
    [
        'setTimeout(() => { throw new Error("out of the blue"); });',
        'void Promise.reject(new Error("out of the blue"));',
    ],
)
async def test_an_error_that_no_client_catches_ends_the_process(
    broken: str, silent: int, tmp_path: Path
) -> None:
    """The harness's error has its text."""
    static = patched_static(tmp_path / "static", [("live.js", "export {", f"{broken} export {{")])
    crowd = NodeCrowd([SCRIPT], tmp_path / "node.log", static)
    try:
        with pytest.raises(NodeFailed, match="(?s)ended with 1.*out of the blue"):
            await crowd.start([silent], 0.2, PATIENCE)
    finally:
        await crowd.end()


async def test_an_error_in_a_page_ends_the_process(serving: int, tmp_path: Path) -> None:
    """A browser would only log it."""
    patch = (
        "region.js",
        "  connectedCallback() {",
        'connectedCallback() { throw new Error("oops");',
    )
    static = patched_static(tmp_path / "static", [patch])
    spec = SPEC | {"kind": "page", "regions": [["list:1"]]}
    crowd = NodeCrowd([spec], tmp_path / "node.log", static)
    try:
        with pytest.raises(NodeFailed, match="(?s)ended with 1.*oops"):
            await _start_and_look(crowd, serving)
    finally:
        await crowd.end()


def test_a_patch_whose_text_is_not_found_is_an_error(tmp_path: Path) -> None:
    """A sabotage without an effect would prove nothing."""
    with pytest.raises(ValueError, match="no such text"):
        patched_static(tmp_path / "static", [("live.js", "no such text", "")])


async def _start_and_look(crowd: NodeCrowd, port: int) -> None:
    """Read the clients' states after the first event since the start."""
    async with asyncio.timeout(PATIENCE):
        await crowd.start([port], 0.2, PATIENCE)
        await crowd.news.wait()
    await crowd.look()
