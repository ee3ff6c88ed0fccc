"""`manage.py realtime_status` against a daphne process that serves the demo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.database_case import environment_of_the_demo
from tests.convergence.processes import ROOT
from tools.redis_servers import RedisServer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
    pytest.mark.timeout(1500),
]

PATIENCE = 480.0
"""Seconds for a process to start and to answer: minutes if other work has the processors."""

PATIENT_SETTINGS = """
from demo_todo.settings import *
REALTIME["PUBSUB"]["OPTIONS"]["timeout"] = 3600.0
"""
GET = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """Serve the demo, and request a page; yield the process's id."""
    path = str(folder / "web.sock")
    with subprocess.Popen(
        [sys.executable, "-m", "daphne", "-u", path, "demo_todo.asgi:application"],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for_page(path)
            yield process.pid
        finally:
            process.kill()


def _wait_for_page(path: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            try:
                client.connect(path)
            except OSError:
                assert time.monotonic() < deadline, "the demo was not served"
                time.sleep(0.05)
                continue
            client.sendall(GET)
            assert client.recv(1024).split()[1] == b"302"
            return


def status(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Return the exit code and the output."""
    run = subprocess.run(
        [sys.executable, "manage.py", "realtime_status", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in run.stderr, run.stderr
    return run.returncode, run.stdout


@pytest.mark.long
def test_a_process_that_has_shown_a_page_answers(tmp_path: Path) -> None:
    """Even without connections. Without the process there is no answer."""
    environment = environment_of_the_demo()
    with serving(tmp_path, environment) as pid:
        code, printed = status(environment, "--json")
        report = json.loads(printed)
        assert code == 0, report
        assert [answer["process"]["pid"] for answer in report["processes"]] == [pid]

        code, printed = status(environment)
        assert f":{pid}, answered in " in printed
        assert printed.endswith("all is well\n")

    code, printed = status(environment, "--timeout", "2")
    assert code == 2
    assert "problem    no process that serves has answered within 2 seconds" in printed


@pytest.mark.long
def test_a_redis_that_is_away_is_another_code(tmp_path: Path) -> None:
    """A Redis that is there reports the number of its messages."""
    with RedisServer() as server:
        environment = environment_of_the_demo() | {"REDIS_URL": server.url}
        with serving(tmp_path, environment):
            code, printed = status(environment, "--json")
            report = json.loads(printed)
            assert code == 0, report
            (kept,) = report["facts"]["servers"].values()
            assert kept["partitions"] == 256
            assert kept["topics"] == kept["messages"] == 0
            assert report["outbox"] == {"waiting": 0, "left": 0}

            server.kill()
            code, printed = status(environment)

    assert code == 1
    assert "problem    the backend does not answer: " in printed


def test_a_call_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """The process ends once it has printed the report; the call would hang for an hour."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        (tmp_path / "patient_settings.py").write_text(PATIENT_SETTINGS)
        environment = environment_of_the_demo() | {
            "REDIS_URL": url,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "patient_settings",
        }

        code, printed = status(environment, "--timeout", "0.2", "--skip-checks")

    assert code == 1, printed
