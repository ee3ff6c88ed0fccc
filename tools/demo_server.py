"""Run the demo as real processes on a database of its own, for tests and benchmarks.

    with DemoServer.prepared(folder) as server:      # migrated and seeded, listening
        server.shell("Task.objects.first().delete()")  # in another process
        server.kill()                                  # as kill -9 does
        server.start()                                 # on the same port

A database is a file, or the URL of one on a PostgreSQL server.

The listening socket belongs to this process and is passed to the server. So the port is known
before the server runs, and stays the same after a restart.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.error import URLError

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 30.0
APPLICATION = "demo_todo.asgi:application"
SETTINGS = "demo_todo.settings"

SERVERS: dict[str, Sequence[str]] = {
    "daphne": ("-m", "daphne", "--fd", "{fd}", "--verbosity", "0", APPLICATION),
    "uvicorn": ("-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning", APPLICATION),
}


class DemoServer:
    """One demo on one database. It runs after `start()`."""

    def __init__(
        self, database: Path | str, kind: str = "daphne", settings: str = SETTINGS
    ) -> None:
        self.database = database
        self.kind = kind
        self.settings = settings
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def prepared(
        cls,
        folder: Path,
        kind: str = "daphne",
        template: Path | None = None,
        settings: str = SETTINGS,
    ) -> Self:
        """Make a server on a fresh database in `folder`: a copy of `template`, or a seeded one."""
        database = folder / "demo.sqlite3"
        if template is None:
            prepare_database(database)
        else:
            shutil.copy(template, database)
        return cls(database, kind, settings)

    @classmethod
    def prepared_on(cls, template: str, kind: str = "daphne") -> Self:
        """Make a server on a copy of the PostgreSQL database `template`, which must be unused."""
        name = f"demo_{secrets.token_hex(6)}"
        server, _, original = template.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copy.format(sql.Identifier(name), sql.Identifier(original)))
        return cls(f"{server}/{name}", kind)

    @property
    def url(self) -> str:
        """The URL of its root, without a slash at the end."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers."""
        fd = self._socket.fileno()
        command = [sys.executable, *(part.format(fd=fd) for part in SERVERS[self.kind])]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=demo_environment(self.database, self.settings), pass_fds=[fd]
        )
        self._wait_until_ready()

    def kill(self) -> None:
        """End the server as `kill -9` does: it cannot close its connections."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def shell(self, code: str) -> str:
        """Run Python code with the demo's models in another process; return what it printed."""
        return in_shell(self.database, code)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._socket.close()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.kind} ended at once with {self._process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.url}/login/", timeout=READY_WITHIN):
                    return
            except URLError:
                if time.monotonic() > deadline:
                    raise


def prepare_database(database: Path | str) -> None:
    """Migrate and seed a database; SQLite creates the file, a database on a server must exist."""
    manage(database, "migrate", "--verbosity", "0")
    manage(database, "seed")


def in_shell(database: Path | str, code: str) -> str:
    """Run Python code with the demo's models in a process of its own; return what it printed."""
    prelude = "from demo_todo.models import *; from django.contrib.auth.models import User\n"
    return manage(database, "shell", "--verbosity", "0", "-c", prelude + code)


def manage(database: Path | str, *arguments: str) -> str:
    """Run a management command of the demo in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=demo_environment(database),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stderr}")
    return done.stdout


def demo_environment(database: Path | str, settings: str = SETTINGS) -> dict[str, str]:
    """Return this process's environment, pointed at the demo on `database`."""
    return os.environ | {
        "DEMO_DB" if isinstance(database, Path) else "DATABASE_URL": str(database),
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": str(ROOT),
    }
