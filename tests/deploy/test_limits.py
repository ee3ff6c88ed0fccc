"""Limits for one address, so that it cannot exhaust the server for other clients."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.deploy.deployment import PATIENCE, Deployment, read_head
from tests.deploy.documented import CONNECTIONS, HEADER_TIMEOUT
from tests.realtime.two_servers import LIST

pytestmark = [pytest.mark.sqlite, pytest.mark.asyncio(loop_scope="session")]

STREAM = f"/live/sse/?topic={LIST}"


async def trickle(port: int) -> float:
    """Send a header byte by byte until nginx closes; return after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /ws/live/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    try:
        while True:
            writer.write(b"x")
            try:
                async with asyncio.timeout(0.05):
                    assert await reader.read(1) == b""
                    return loop.time() - began
            except TimeoutError:
                continue
            except ConnectionError:
                return loop.time() - began
    finally:
        writer.transport.abort()


async def test_a_client_that_sends_headers_slowly_is_disconnected(site: Deployment) -> None:
    """Other clients are served meanwhile."""
    are_served = asyncio.Event()
    slow = [asyncio.create_task(trickle_until(are_served, site.nginx.port)) for _ in range(50)]
    async with site.socket() as socket:
        await socket.receive("welcome")
    assert (await site.ask("/up/")).status == 200
    are_served.set()

    async with asyncio.timeout(PATIENCE):
        took = await asyncio.gather(*slow)

    assert min(took) > HEADER_TIMEOUT * 0.9


async def trickle_until(are_served: asyncio.Event, port: int) -> float:
    """Send headers slowly, again after each disconnection, until the event."""
    while True:
        took = await trickle(port)
        if are_served.is_set():
            return took


async def test_the_connections_of_an_address_are_limited(site: Deployment) -> None:
    """Further streams are refused; pages are served."""
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(site.open(STREAM)) for _ in range(CONNECTIONS)]
        assert [(await read_head(each))[0] for each in readers] == [200] * CONNECTIONS

        assert (await site.ask(STREAM)).status == 429
        assert (await site.ask("/up/")).status == 200
