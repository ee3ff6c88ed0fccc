"""Processes behind nginx that are killed, terminated, or drained as the unit does."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.deploy.deployment import Deployment
from tests.deploy.documented import drain_command
from tests.realtime.connections.drain.test_servers import came_back, states, write_until
from tests.realtime.two_servers import LIST, ended

pytestmark = [pytest.mark.sqlite, pytest.mark.asyncio(loop_scope="session")]

CLIENTS = 6
HEALTH = "/live/health/"


@pytest.mark.long
async def test_health_is_the_response_of_a_running_process(site: Deployment) -> None:
    """The proxy passes no request to the killed one."""
    site.processes[0].kill()
    try:
        answers = [await site.ask(HEALTH) for _ in range(6)]
    finally:
        await site.processes[0].start()

    assert {each.status for each in answers} == {200}


@pytest.mark.long
async def test_clients_of_a_killed_process_miss_nothing(site: Deployment) -> None:
    """They reconnect to nginx's address, which leads to the other process."""
    await site.watch(CLIENTS, server=0)
    site.processes[1].kill()
    try:
        written = {await site.write() for _ in range(3)}

        await came_back(site, written)
    finally:
        await site.processes[1].start()
    assert 0 < sum(len(each.lost) for each in site.watchers) < CLIENTS


@pytest.mark.long
async def test_clients_of_a_process_that_is_told_to_end_miss_nothing(site: Deployment) -> None:
    """By SIGTERM: uvicorn closes with 1012, daphne without a code."""
    clients = await site.watch(CLIENTS, server=0)
    ending = site.processes[0]
    ending.signal(signal.SIGTERM)
    try:
        written = await write_until(site, asyncio.create_task(ended(ending)))

        await came_back(site, written)
    finally:
        ending.kill()
        await ending.start()
    codes = {code for each in clients for code in each.lost}
    assert codes == {1012 if ending.kind == "unit-uvicorn" else 1006}


async def test_clients_of_a_drained_process_miss_nothing(site: Deployment) -> None:
    """They are closed with 4503, and reconnect until nginx leads them to the other process."""
    clients = await site.watch(CLIENTS, server=0)
    first, second = site.names
    manage, *arguments = drain_command(first)
    draining = asyncio.create_task(site.command(*arguments))
    try:
        written = await write_until(site, draining)

        code, printed = await draining
        await came_back(site, written)
        assert (manage, code) == ("manage.py", 0), printed
        assert {code for each in clients for code in each.lost} == {4503}
        assert await states(site) == {first: (True, 0), second: (False, CLIENTS)}
    finally:
        await site.say("realtime_drain", "--all", "--off")


@pytest.mark.long
async def test_requests_avoid_a_drained_process(site: Deployment) -> None:
    """The proxy passes requests that it refuses to the other process."""
    await site.say("realtime_drain", "--process", site.names[0])
    try:
        polls = [await site.ask(f"/live/changes/?topic={LIST}") for _ in range(4)]
        healths = [await site.ask(HEALTH) for _ in range(4)]
    finally:
        await site.say("realtime_drain", "--all", "--off")

    assert {each.status for each in polls + healths} == {200}


@pytest.mark.long
async def test_pages_are_served_while_no_process_accepts_clients(site: Deployment) -> None:
    """The proxy does not take processes that refuse live requests for dead."""
    await site.say("realtime_drain", "--all")
    try:
        refused = [await site.ask(f"/live/sse/?topic={LIST}") for _ in range(4)]
        pages = [await site.ask("/up/") for _ in range(4)]
    finally:
        await site.say("realtime_drain", "--all", "--off")

    assert {each.status for each in refused} == {503}
    assert {each.status for each in pages} == {200}
