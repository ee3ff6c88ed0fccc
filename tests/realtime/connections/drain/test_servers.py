"""Servers that are drained or terminated: their clients go on at another, and miss no change.

Two processes serve, while another one writes.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.realtime.two_servers import TwoServers, ended, two_servers
from tools.redis_servers import RedisServer

pytestmark = [pytest.mark.sqlite, pytest.mark.timeout(400)]

CLIENTS = 6


UVICORN, DAPHNE = "web", "daphne"


def under(kind: str, other: str) -> pytest.MarkDecorator:
    """Run a test under one kind of server; in the long run under the other too."""
    kinds = [kind, pytest.param(other, marks=pytest.mark.long)]
    return pytest.mark.parametrize("servers", kinds, indirect=True)


@pytest.fixture
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TwoServers]:
    async with two_servers(tmp_path, request.param) as servers:
        yield servers


@pytest.mark.long
async def test_a_drain_works_over_redis(tmp_path: Path) -> None:
    """The relays of the processes then send questions and answers."""
    with RedisServer() as redis:
        async with two_servers(tmp_path, redis=redis.url) as servers:
            await servers.watch(CLIENTS, server=0)
            first, second = servers.names
            drain = servers.command(
                "realtime_drain", "--process", first, "--seconds", "0.5", "--wait"
            )
            draining = asyncio.create_task(drain)

            written = await write_until(servers, draining)

            assert (await draining)[0] == 0
            await came_back(servers, written)
            assert await states(servers) == {first: (True, 0), second: (False, CLIENTS)}


async def write_until(servers: TwoServers, done: asyncio.Future[object]) -> set[str]:
    """Write rows until a task is done, and then one more."""
    written = set()
    while not done.done():
        written.add(await servers.write())
        # A pause, since the servers need the processor.
        await asyncio.sleep(0.02)
    return written | {await servers.write()}


async def states(servers: TwoServers) -> dict[str, tuple[bool, int]]:
    """Return each process: is it draining, and its number of clients; check that both are well."""
    code, printed = await servers.command("realtime_status", "--json")
    assert code == 0, printed
    found = (answer["process"] for answer in json.loads(printed)["processes"])
    return {
        f"{each['host']}:{each['pid']}": (each["draining"], each["connections"]) for each in found
    }


async def came_back(servers: TwoServers, written: set[str]) -> None:
    """Wait until every client is live again and has received all rows written."""
    await servers.until(
        lambda: all(each.live and each.told >= written for each in servers.watchers)
    )
    assert [each.resets for each in servers.watchers] == [0] * len(servers.watchers)


@pytest.mark.long
@under(UVICORN, DAPHNE)
async def test_clients_of_a_server_that_is_drained_miss_nothing(servers: TwoServers) -> None:
    """A pre-stop hook waits until they are gone; later ones are refused and go elsewhere."""
    clients = await servers.watch(CLIENTS, server=0)
    first, second = servers.names
    drain = servers.command("realtime_drain", "--process", first, "--seconds", "0.5", "--wait")
    draining = asyncio.create_task(drain)

    written = await write_until(servers, draining)

    printed = f"{first}  draining; {CLIENTS} connections\nall connections are gone\n"
    assert await draining == (0, printed)
    await came_back(servers, written)
    assert {code for each in clients for code in each.lost} == {4503}
    assert await states(servers) == {first: (True, 0), second: (False, CLIENTS)}


@under(DAPHNE, UVICORN)
async def test_clients_of_a_server_that_is_told_to_end_miss_nothing(servers: TwoServers) -> None:
    """SIGTERM alone, which each server handles in its own way."""
    clients = await servers.watch(CLIENTS, server=0)
    servers.processes[0].signal(signal.SIGTERM)
    ending = asyncio.create_task(ended(servers.processes[0]))

    written = await write_until(servers, ending)

    await came_back(servers, written)
    assert all(len(each.lost) == 1 for each in clients)
