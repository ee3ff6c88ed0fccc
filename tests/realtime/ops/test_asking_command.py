"""The base class of commands that call the processes, tested within one process."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError

from realtime.backends import get_pubsub
from realtime.backends.memory import MemoryPubSub
from realtime.connections.connection import Connection
from realtime.management.commands import realtime_drain
from realtime.ops import command, log_level
from realtime.ops.command import lasting
from realtime.ops.process import process_name
from realtime.protocol import CloseCode
from realtime.server import server_of
from tests.realtime.hub.listening import LIST, mailbox, within
from tests.realtime.ops.serving import serving_here
from tests.realtime.transports import connection_of, frames_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

COMMANDS = [
    ("realtime_topics",),
    ("realtime_connections",),
    ("realtime_connection", "x"),
    ("realtime_log", "DEBUG"),
    ("realtime_drain",),
]


@pytest.fixture
async def serving() -> AsyncIterator[None]:
    """A hub in this process, which answers, and watches a topic."""
    async with serving_here():
        await within(server_of().hub.subscribe(mailbox(), LIST))
        yield


def run(*arguments: str) -> tuple[int, str]:
    """Run a command here; return its exit code and its output."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


PATIENT = "--timeout", "30"
"""Arguments for a busy machine: a process that answers is not waited for longer."""


async def arun(*arguments: str) -> tuple[int, str]:
    return await sync_to_async(run, thread_sensitive=False)(*arguments)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[0])
def test_without_a_process_there_is_no_answer(arguments: tuple[str, ...]) -> None:
    """That has an exit code of its own."""
    code, printed = run(*arguments, "--timeout", "0.1")

    assert code == 2
    assert "answered within 0.1 seconds" in printed


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[0])
def test_a_backend_that_is_away_is_an_error(arguments: tuple[str, ...]) -> None:
    """The question was not sent, so no answer says nothing about the processes."""
    away = mock.patch.object(type(get_pubsub()), "connect", side_effect=OperationalError("gone"))
    with away, pytest.raises(CommandError, match="carries no messages: OperationalError: gone"):
        run(*arguments, "--timeout", "5")


def test_processes_that_cannot_be_asked_are_not() -> None:
    """Messages of the memory backend stay within each process."""
    with mock.patch.object(command, "get_pubsub", return_value=MemoryPubSub()):
        code, printed = run("realtime_topics")

    assert (code, "none can be asked" in printed) == (2, True)


async def test_columns_are_aligned(serving: None) -> None:
    """Text to the left, numbers to the right."""
    code, printed = await arun("realtime_topics", *PATIENT)

    assert code == 0
    assert printed == "topic   subscribers\nlist:5            1\n"


async def test_processes_with_a_new_log_level_are_printed(serving: None) -> None:
    """With the level before, which is restored at the end."""
    logger = logging.getLogger("realtime.draining")
    logger.setLevel("ERROR")

    code, printed = await arun(
        "realtime_log", "debug", "--logger", logger.name, "--minutes", "9", *PATIENT
    )

    assert code == 0
    assert printed == f"{process_name()}  realtime.draining: ERROR -> DEBUG, for 9 minutes\n"
    assert logger.level == logging.DEBUG
    # As the timer does after nine minutes.
    log_level._timers[logger.name].cancel()
    log_level._restore(logger.name)
    assert logger.level == logging.ERROR
    logger.setLevel(logging.NOTSET)


async def test_an_unknown_connection_is_an_error(serving: None) -> None:
    """Although processes have answered."""
    with pytest.raises(CommandError, match="has a connection 'x'"):
        await arun("realtime_connection", "x", *PATIENT)


@pytest.fixture
async def client(serving: None) -> AsyncIterator[Connection]:
    """A client whose connection stays when it is closed."""
    connection = connection_of(None, server_of().hub)
    server_of().connections.add(connection)
    yield connection
    server_of().connections.remove(connection)


async def test_a_command_that_waits_for_a_drain_reports_the_connections_left(
    client: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for ever: the process is going to end."""
    monkeypatch.setattr(realtime_drain, "GRACE", 0.1)

    with pytest.raises(CommandError, match="1 connections are left"):
        await arun("realtime_drain", "--seconds", "0.1", "--wait")

    assert frames_of(client) == []
    assert client.transport.closed == CloseCode.DRAINING


async def test_a_drain_is_undone(client: Connection) -> None:
    """By the same command."""
    assert (await arun("realtime_drain", "--all"))[0] == 0
    assert server_of().connections.draining
    code, printed = await arun("realtime_status", *PATIENT)
    assert (code, "; draining: new clients are refused" in printed) == (0, True)

    code, printed = await arun("realtime_drain", "--host", socket.gethostname(), "--off")

    assert (code, printed) == (0, f"{process_name()}  accepts clients; 1 connections\n")
    assert not server_of().connections.draining


async def test_other_hosts_are_not_drained(client: Connection) -> None:
    """A pre-stop hook drains only its own host."""
    code, _ = await arun("realtime_drain", "--host", "elsewhere", "--timeout", "0.3")

    assert code == 2
    assert not server_of().connections.draining


@pytest.mark.parametrize(
    "arguments",
    [
        ("realtime_topics", "--limit", "0"),
        ("realtime_topics", "--timeout", "0"),
        ("realtime_log", "LOUD"),
        ("realtime_log", "DEBUG", "--logger", "django"),
        ("realtime_log", "DEBUG", "--minutes", "-1"),
        ("realtime_drain", "--seconds", "0"),
        ("realtime_drain", "--seconds", "inf"),
        ("realtime_drain", "--all", "--host", "here"),
    ],
    ids=" ".join,
)
def test_senseless_arguments_are_refused(arguments: tuple[str, ...]) -> None:
    """Before any process is asked."""
    with pytest.raises(CommandError):
        run(*arguments)


@pytest.mark.parametrize(
    ("age", "spelt"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (400_000, "4 d")],
)
def test_ages_are_spelt_as_people_read_them(age: Any, spelt: str) -> None:
    """In one unit."""
    assert lasting(age) == spelt
