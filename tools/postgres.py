"""Run a command with a private PostgreSQL server: `python tools/postgres.py COMMAND ARGUMENT…`.

The command gets the server's URL in DATABASE_URL, and its exit code is passed on. If DATABASE_URL
names a PostgreSQL already, that server is used. For tests that stop their server themselves:

    with Postgres(durable=True) as postgres:   # postgres.url
        postgres.kill()                        # as a crash does
        postgres.start()                       # on the same data

The server listens on a socket in a folder of its own under /tmp, so it needs no port. It
ends with its parent process.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.find_postgres import PostgresMissing, find_postgres

READY_WITHIN = 60.0
INITDB = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
NETWORK = ("-c", "listen_addresses=", "-c", "max_connections=200", "-c", "log_min_messages=fatal")
# For tests that query the order of commits, and that prepare transactions.
FEATURES = ("-c", "track_commit_timestamp=on", "-c", "max_prepared_transactions=20")
# The data need not survive a crash of the machine.
CARELESS = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
PR_SET_PDEATHSIG = 1
NOT_RUN = 127
"""The exit code of a shell for a command that it cannot run."""


class Postgres:
    """One server with data of its own, deleted at the end. It runs after `start()`.

    It listens on a socket in `folder`.

    Start it from a thread that lives as long as the server must: Linux ends it with that thread.
    `durable=True` waits for the disk, as a server does by default.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = find_postgres()
        self._options = (*NETWORK, *FEATURES, *(() if durable else CARELESS))
        self._process: subprocess.Popen[Any] | None = None
        # Lower case, as mkdtemp makes it: a parser of URLs may lower the host.
        self.folder = Path(tempfile.mkdtemp(prefix="livequery-postgres-", dir="/tmp"))
        if account := _account():
            os.chown(self.folder, account["user"], account["group"])
        self._data = self.folder / "data"
        self._log = self.folder / "log"

    @property
    def url(self) -> str:
        """The URL of its first database, for DATABASE_URL."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgres://postgres@{quote(str(self.folder), safe='')}/{database}"

    def start(self) -> None:
        """Start the server, creating its data if needed; wait until it accepts connections."""
        if not self._data.exists():
            self._run("initdb", *INITDB, "-D", str(self._data))
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self.folder)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C must end the command, which still needs its server
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- one system call
                **_account(),
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Shut the server down, in order but without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server as a crash does; the next start recovers from its log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Shut the server down and start it again on the same data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Delete the data."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.remove()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGQUIT)
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        # The server writes "ready" as the last line there once it accepts connections.
        try:
            return (self._data / "postmaster.pid").read_text().split()[-1] == "ready"
        except (OSError, IndexError):
            return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **_account(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")


def _account() -> dict[str, Any]:
    """Return the user for its processes: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    """Make Linux kill this process when its parent ends, so that no orphan remains."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def run(command: list[str]) -> int:
    """Run a command with DATABASE_URL set to a PostgreSQL; return its exit code."""
    if os.environ.get("DATABASE_URL", "").startswith(("postgres://", "postgresql://")):
        return _outcome(command, os.environ["DATABASE_URL"])
    with Postgres() as postgres:
        return _outcome(command, postgres.url)


def _outcome(command: list[str], url: str) -> int:
    try:
        running = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url})
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_RUN
    with running:
        while True:
            try:
                code = running.wait()
            except KeyboardInterrupt:
                continue  # the terminal interrupts the command too; wait for its end
            except BaseException:
                running.terminate()
                raise
            return code if code >= 0 else 128 - code


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(f"usage: {sys.argv[0]} COMMAND ARGUMENT…")
    signal.signal(signal.SIGTERM, _leave)  # so that the server and its folder are removed too
    try:
        sys.exit(run(sys.argv[1:]))
    except PostgresMissing as error:
        sys.exit(f"error: {error}")
