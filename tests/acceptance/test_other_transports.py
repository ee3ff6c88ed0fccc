"""Server-sent events and polling over real servers, and in a browser."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from tests.acceptance.todo import PATIENCE, Template
from tools.demo_server import DemoServer, manage

KINDS = ("uvicorn", "daphne")

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LISTEN = """
(path) => {
  window.told = []; window.opened = 0; window.failed = 0
  const source = new EventSource(path)
  source.onopen = () => { window.opened += 1 }
  source.onerror = () => { window.failed += source.readyState === EventSource.CLOSED }
  source.addEventListener("changed", ({data}) => {
    for (const {changes, reset} of Object.values(JSON.parse(data))) {
      window.told.push(...(reset ? [reset] : changes["demo_todo.task"]?.entered ?? []))
    }
  })
  return new Promise((done) => source.addEventListener("subscribed", done, {once: true}))
}
"""

WRITE = """
import time
for number in range(9):
    print(Task.objects.create(list_id={pk}, title="Task").pk, flush=True)
    time.sleep(0.3)
"""

TELL = """
import time
from realtime import Message, publish
for number in range(200):
    publish([Message("list:{pk}", {{"a.b": {{f"{{number:0>1000}}": "left"}}}})])
    time.sleep(0.005)
"""


def serve(kind: str, settings: str, template: Template, folder: Path) -> DemoServer:
    assert isinstance(template.database, Path)
    return DemoServer.prepared(folder, kind, template.database, f"tests.acceptance.{settings}")


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest,
    template: Template,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DemoServer]:
    """A server of few connections, whose streams end after some kilobytes."""
    folder = tmp_path_factory.mktemp(request.param)
    with serve(request.param, "long_streams", template, folder) as server:
        yield server


def ask(server: DemoServer, template: Template, path: str) -> socket.socket:
    """Send a GET request; return the socket on which the response arrives."""
    address = urlsplit(server.url)
    found = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
    cookie = f"sessionid={template.sessions['ada']}"
    found.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
    return found


def read_until(connection: socket.socket, what: bytes) -> bytes:
    text = b""
    while what not in text:
        part = connection.recv(65_536)
        assert part, f"expected {what!r}, got the end behind {text!r}"
        text += part
    return text


def process(server: DemoServer) -> tuple[int, int]:
    """Return the numbers of connections and topics of the server's process."""
    report = json.loads(manage(server.database, "realtime_status", "--json"))
    (answer,) = report["processes"]
    return answer["process"]["connections"], answer["process"]["topics"]


async def becomes_idle(server: DemoServer) -> None:
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(process, server) != (0, 0):
            pass


@pytest.mark.long
async def test_a_client_that_disconnects_leaves_nothing_behind(
    server: DemoServer, template: Template
) -> None:
    """Neither subscriptions nor its place among the connections, on both transports."""
    topic = f"topic=list:{template.pks['Home']}"
    with closing(ask(server, template, f"/live/changes/?{topic}")) as connection:
        since = read_until(connection, b"}}").decode().partition('"cursor":"')[2].partition('"')[0]
    for _ in range(5):
        poll = ask(server, template, f"/live/changes/?{topic}&since={since}&wait=20")
        with closing(poll), closing(ask(server, template, f"/live/sse/?{topic}")) as stream:
            await asyncio.to_thread(read_until, stream, b"subscribed")
            stream.shutdown(socket.SHUT_RDWR)
            poll.shutdown(socket.SHUT_RDWR)
        await has_room(server, template, f"/live/sse/?{topic}")

    await becomes_idle(server)


async def has_room(server: DemoServer, template: Template, path: str) -> None:
    """Wait until all three places are free."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with ExitStack() as stack:
                asked = (ask(server, template, path) for _ in range(3))
                streams = [stack.enter_context(closing(each)) for each in asked]
                heads = [await asyncio.to_thread(read_until, each, b"\r\n") for each in streams]
            if all(head.startswith(b"HTTP/1.1 200 ") for head in heads):
                return


@pytest.mark.long
async def test_a_stream_to_a_client_that_does_not_read_is_bounded(
    server: DemoServer, template: Template
) -> None:
    """The stream ends after some kilobytes, which is all that waits for the client."""
    pk = template.pks["Home"]
    with closing(ask(server, template, f"/live/sse/?topic=list:{pk}")) as stream:
        await asyncio.to_thread(read_until, stream, b"subscribed")

        await asyncio.to_thread(server.shell, TELL.format(pk=pk))

        told = await asyncio.to_thread(read_until, stream, b"\r\n0\r\n\r\n")
    assert 10_000 < len(told) < 100_000


@pytest.mark.parametrize("kind", ["uvicorn", pytest.param("daphne", marks=pytest.mark.long)])
async def test_a_browser_that_reconnects_misses_no_change(
    kind: str, template: Template, tmp_path: Path, browser: Browser
) -> None:
    """Streams end all the time; the next one has the changes written between the two."""
    pk = template.pks["Home"]
    with serve(kind, "short_streams", template, tmp_path) as server:
        context = await browser.new_context(base_url=server.url)
        cookie = {"name": "sessionid", "value": template.sessions["ada"], "url": server.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        page = await context.new_page()
        await page.goto("/admin/")
        await page.evaluate(LISTEN, f"/live/sse/?topic=list:{pk}")

        written = (await asyncio.to_thread(server.shell, WRITE.format(pk=pk))).split()

        async with asyncio.timeout(PATIENCE):
            while not set(written) <= set(told := await page.evaluate("window.told")):
                await asyncio.sleep(0.05)
        assert sorted(map(int, told)) == sorted(map(int, written))
        assert await page.evaluate("window.opened") > 1
        assert not await page.evaluate("window.failed")
        await context.close()
