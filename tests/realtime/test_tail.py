"""`manage.py realtime_tail`: messages on a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command

from realtime import Message, position, publish
from realtime.messages.topics import Topic
from realtime.models import new_token
from tests.contract.database_case import environment_of_the_demo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = Topic("list:5")


def row(pk: int) -> Message:
    return Message(LIST, {"todo.task": {str(pk): "updated"}})


@contextmanager
def tail(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process of its own."""
    running = subprocess.Popen(
        [sys.executable, "manage.py", "realtime_tail", *arguments],
        env=environment_of_the_demo(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate(timeout=20)


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_messages_are_printed_as_they_come(number: int) -> None:
    """First those since the position, then later ones; a signal ends it silently."""
    publish([row(0)])
    since = str(position())
    publish([row(1)])
    with tail("list:5", "--since", since) as running:
        first = line(running)
        assert first.startswith("list:5  todo.task 1 updated  "), running.communicate(timeout=20)
        publish([row(2)])
        assert line(running).startswith("list:5  todo.task 2 updated  ")
        publish([Message(Topic("list:"), reset="bulk")])
        assert line(running).startswith("list:5  reset: bulk  ")

        os.kill(running.pid, number)
        _, errors = running.communicate(timeout=20)
        assert (running.returncode, errors) == (0, "")


def test_json_is_for_programs() -> None:
    """One object a line."""
    publish([row(0)])
    since = str(position())
    publish([row(1)])
    with tail("--json", "list:5", "--since", since) as running:
        told = json.loads(line(running))

    assert told.pop("cursor") != since
    assert told == {"topic": "list:5", "changes": {"todo.task": {"1": "updated"}}, "reset": None}


@pytest.mark.parametrize("arguments", [["list:"], ["no topic"], ["list:5", "--since", "x"]])
def test_nonsense_is_a_command_error(arguments: list[str]) -> None:
    """The error says what was expected."""
    with pytest.raises(CommandError, match="expected"):
        call_command("realtime_tail", *arguments)


def test_no_cursor_looks_like_an_option() -> None:
    """`--since -abc.5` would be refused, one time in sixty."""
    assert not [token for token in (new_token() for _ in range(2_000)) if token.startswith("-")]
