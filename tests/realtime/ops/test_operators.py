"""Operators' commands against two serving processes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.realtime.two_servers import LIST, TwoServers, two_servers

pytestmark = [pytest.mark.sqlite, pytest.mark.timeout(120)]

OTHER = "list:1"


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[TwoServers]:
    """Two clients of each server; one of the second's watches another topic."""
    async with two_servers(tmp_path) as servers:
        await servers.watch(2, server=0)
        await servers.watch(1, server=1)
        await servers.watch(1, server=1, topic=OTHER)
        yield servers


async def asked(servers: TwoServers, *arguments: str) -> dict[str, Any]:
    """Run a command that must succeed; return its JSON object."""
    code, printed = await servers.command(*arguments, "--json")
    assert code == 0, printed
    found: dict[str, Any] = json.loads(printed)
    return found


async def test_operators_see_the_topics_and_connections_of_all_processes(
    servers: TwoServers,
) -> None:
    """Topics are summed, and a connection is found on any process."""
    written = await servers.write()
    await servers.until(
        lambda: [written in each.told for each in servers.watchers].count(True) == 3
    )

    topics = await asked(servers, "realtime_topics")
    assert topics["processes"] == sorted(servers.names)
    counted = [(each["topic"], each["subscribers"]) for each in topics["topics"]]
    assert (counted, topics["left_off"]) == ([(LIST, 3), (OTHER, 1)], 0)

    code, printed = await servers.command("realtime_connections", "--limit", "3")
    lines = printed.splitlines()
    assert (code, len(lines), lines[-1]) == (0, 5, "and 1 more: see --limit")
    assert lines[0].split()[:4] == ["connection", "user", "transport", "age"]

    second = await asked(servers, "realtime_connections", "--process", servers.names[1])
    assert {each["process"] for each in second["connections"]} == {servers.names[1]}
    assert (second["processes"], len(second["connections"])) == ([servers.names[1]], 2)

    name = second["connections"][0]["id"]
    code, printed = await servers.command("realtime_connection", "--", name)
    assert code == 0, printed
    assert printed.startswith(f"process     {servers.names[1]}\nuser        anonymous\n")
    assert "live" in printed.splitlines()[-1].split()


@pytest.mark.long
async def test_operators_turn_up_the_log_of_all_processes(servers: TwoServers) -> None:
    """Or of one; a name that no process has is reported."""
    code, printed = await servers.command("realtime_log", "info", "--logger", "realtime.hub")
    assert code == 0, printed
    assert printed.splitlines() == [
        f"{name}  realtime.hub: INFO -> INFO, for 10 minutes" for name in sorted(servers.names)
    ]

    first = servers.names[0]
    code, printed = await servers.command("realtime_log", "debug", "--process", first)
    assert (code, printed) == (0, f"{first}  realtime: INFO -> DEBUG, for 10 minutes\n")

    code, printed = await servers.command(
        "realtime_log", "debug", "--process", "nobody:1", "--timeout", "0.5"
    )
    assert (code, printed) == (2, "nobody:1 has not answered within 0.5 seconds\n")
