"""Common parts of the outbox's tests: a backend, and writers in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import override_settings

from realtime import Message, publish
from realtime.backends import forget_pubsub
from realtime.backends.outbox import metrics, stop_relay
from realtime.models import OutboxRecord, StoredRecord
from tests.contract.database_case import environment_of_the_demo
from tests.contract.socket_backend import SocketServer

ROOT = Path(__file__).resolve().parents[4]
WRITER = "tests.realtime.backends.outbox.writer"
PATIENCE = 120.0
"""Seconds for a process to start and to do its step, also on a busy machine."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SocketServer]:
    """A running server of the backend."""
    with SocketServer(tmp_path) as server:
        yield server


@pytest.fixture
def settings_of(server: SocketServer) -> Callable[..., dict[str, object]]:
    """Return the settings for REALTIME, with more."""

    def settings_of(timeout: float = 0.5, **more: object) -> dict[str, object]:
        options = {"path": server.path, "timeout": timeout}
        backend = {"BACKEND": "tests.contract.socket_backend.SocketPubSub", "OPTIONS": options}
        return {"PUBSUB": backend, "OUTBOX_SWEEP": 0.1, **more}

    return settings_of


@pytest.fixture
def outbox(transactional_db, settings_of) -> Iterator[None]:
    """Let the project send to that server, through an empty outbox."""
    OutboxRecord.objects.all().delete()
    StoredRecord.objects.all().delete()
    metrics.clear()
    with override_settings(REALTIME=settings_of()):
        yield
        stop_relay(5)
    forget_pubsub()


@pytest.fixture
def run(server: SocketServer, transactional_db) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process on the test database; it is killed at the end."""
    OutboxRecord.objects.all().delete()
    StoredRecord.objects.all().delete()
    running: list[subprocess.Popen[str]] = []
    environment = environment_of_the_demo() | {
        "DJANGO_SETTINGS_MODULE": "tests.realtime.backends.outbox.project",
        "OUTBOX_SOCKET": server.path,
    }

    def run(*arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | environment | more,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts background jobs, such as a run of these tests, with SIGINT ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def writer(run) -> Callable[..., subprocess.Popen[str]]:
    """Start a writer, and wait until it has reached its step."""

    def writer(step: str, name: str = "one", *using: str, **more: str) -> subprocess.Popen[str]:
        process = run("-W", "ignore::DeprecationWarning", "-m", WRITER, step, name, *using, **more)
        if step not in {"end", "fork"}:
            assert process.stdout.readline() == "here\n", process.stderr.read()
        return process

    return writer


@pytest.fixture
def relay_once(run) -> Callable[..., str]:
    """Run `realtime_relay --once` until no row is left; return its last output.

    PostgreSQL needs a moment to notice that a process with a lock was killed.
    """

    def relay_once() -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            out, error = run("manage.py", "realtime_relay", "--once").communicate(timeout=PATIENCE)
            assert not error, error
            if not OutboxRecord.objects.exists() or time.monotonic() > deadline:
                return out

    return relay_once


def until(happened: Callable[[], object]) -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def write(name: object, using: str = "default") -> None:
    """Commit a row and its message."""
    with transaction.atomic(using=using):
        Group.objects.using(using).create(name=str(name))
        tell(name, using)


def tell(name: object, using: str = "default") -> None:
    publish([Message("list:5", {"auth.group": {str(name): "entered"}})], using)
