"""Processes that end with the harness, and proxies that disturb connections."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.convergence.http import NotAnswered, fetch
from tests.convergence.processes import ROOT
from tests.convergence.proxy import Proxy

HARNESS = """
import asyncio, os, sys, time
from pathlib import Path
from tests.convergence.processes import KINDS, Kind, Process
KINDS["nap"] = Kind(("-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"))
asyncio.run(Process("nap", 1, Path(sys.argv[1]), os.environ).start())
print("started", flush=True)
time.sleep(600)
"""
PATIENCE = 120.0

pytestmark = pytest.mark.timeout(300)


def test_nothing_outlives_a_harness_that_was_killed(tmp_path: Path) -> None:
    """A process that never checks whether the harness lives ends too."""
    command = [sys.executable, "-c", HARNESS, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"started\n"
        pid = _wait_for(lambda: int((tmp_path / "nap-1.log").read_text() or 0))
        harness.send_signal(signal.SIGKILL)

    _wait_for(lambda: not _is_running(pid))


@pytest.fixture
async def answered(tmp_path: Path):
    """A server that answers each request, behind a proxy: the proxy and its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")
        writer.close()

    proxy = Proxy(tmp_path / "server.sock", Random(1))
    async with await asyncio.start_unix_server(answer, tmp_path / "server.sock"):
        port = await proxy.start()
        yield proxy, port
        await proxy.close()


async def test_a_proxy_forwards_both_ways(answered) -> None:
    """Requests and responses."""
    _, port = answered

    assert await fetch(port, "/") == "up"


async def test_a_stalled_proxy_forwards_later(answered) -> None:
    """No data is lost."""
    proxy, port = answered
    proxy.stall()
    waiting = asyncio.create_task(fetch(port, "/"))

    with pytest.raises(NotAnswered):
        await fetch(port, "/", seconds=0.1)
    assert not waiting.done()
    proxy.flow()

    assert await waiting == "up"


async def test_a_cut_proxy_breaks_open_connections(answered) -> None:
    """It accepts later ones."""
    proxy, port = answered
    proxy.stall()
    waiting = asyncio.create_task(fetch(port, "/"))
    with pytest.raises(NotAnswered):
        await fetch(port, "/", seconds=0.1)

    proxy.cut()
    proxy.flow()

    with pytest.raises(NotAnswered):
        await waiting
    assert await fetch(port, "/") == "up"


async def test_a_refusing_proxy_answers_no_client(answered) -> None:
    """As if the server were away."""
    proxy, port = answered
    proxy.refusing = True

    with pytest.raises(NotAnswered):
        await fetch(port, "/")


def _wait_for(done):
    deadline = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
