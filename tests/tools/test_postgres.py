"""`python tools/postgres.py COMMAND`: a private PostgreSQL while a command runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tools import postgres as tool

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
TOOL = "tools/postgres.py"
ELSEWHERE = "postgres://somebody@elsewhere/things"
SAY_URL = "import os; print(os.environ['DATABASE_URL'], flush=True)"
ASK = (
    f"{SAY_URL}; import subprocess; from tools.find_postgres import find_postgres;"
    " psql = [find_postgres() / 'psql', os.environ['DATABASE_URL'], '-qtAc', 'SELECT 40 + 2'];"
    " subprocess.run(psql, check=True)"
)
WAIT = f"{SAY_URL}; print(os.getpid(), flush=True); import time; time.sleep(60)"


class Starter:
    """Starts Python in the root of the project, with an account."""

    def __init__(self, account: dict[str, Any]) -> None:
        self.account = account
        # Another account may not read the folder in which our Python is installed.
        self.python = next(filter(self._runs, [sys.executable, "/usr/bin/python3"]), None)

    def __call__(self, *arguments: str, url: str | None = None) -> subprocess.Popen[str]:
        assert self.python
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        env |= {"PYTHONDONTWRITEBYTECODE": "1"} | ({"DATABASE_URL": url} if url else {})
        pipe = subprocess.PIPE
        command = [self.python, *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True, **self.account
        )

    def run(self, code: str, url: str | None = None) -> tuple[int, str, str]:
        """Run Python code by the tool; return the exit code, the output and the errors."""
        assert self.python
        return outcome(self(TOOL, self.python, "-c", code, url=url))

    def _runs(self, python: str) -> bool:
        try:
            probe = [python, "-c", "import tools.postgres"]
            done = subprocess.run(probe, cwd=ROOT, capture_output=True, check=False, **self.account)
        except OSError:
            return False
        return done.returncode == 0


@pytest.fixture(params=["as we are", "as the server's account"])
def start(request: pytest.FixtureRequest) -> Starter:
    """Start processes: root does so with the account that the server runs as, too."""
    account = {} if request.param == "as we are" else tool._account()
    if not account and request.param != "as we are":
        pytest.skip("only root starts processes of others")
    starter = Starter(account)
    if starter.python is None:
        pytest.skip("the server's account can read no new Python, or not this folder")
    return starter


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; return its exit code, its output and its errors."""
    output, errors = process.communicate(timeout=50)
    return process.returncode, output.strip(), errors


def folder_of(url: str) -> Path:
    """Return the folder of the server, which is its host."""
    return Path(unquote(urlsplit(url).netloc.partition("@")[2]))


def test_command_has_a_server_whose_folder_is_deleted_afterwards(start: Starter) -> None:
    """A run leaves nothing behind."""
    code, output, errors = start.run(ASK)

    assert (code, errors) == (0, "")
    url, answer = output.split()
    assert answer == "42"
    assert folder_of(url).name.startswith("livequery-postgres-")
    assert not folder_of(url).exists()


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_exit_code_is_that_of_the_command(ending: str, expected: int, start: Starter) -> None:
    """As with a shell; the folder is deleted after failures too."""
    code, url, _ = start.run(f"{SAY_URL}; {ending}")

    assert code == expected
    assert not folder_of(url).exists()


def test_a_server_in_database_url_is_used(start: Starter) -> None:
    """Without a connection to it."""
    assert start.run(f"{SAY_URL}; raise SystemExit(3)", url=ELSEWHERE) == (3, ELSEWHERE, "")


def test_a_database_url_of_another_kind_is_ignored(start: Starter) -> None:
    """One of SQLite is meant for other runs."""
    code, url, _ = start.run(SAY_URL, url="sqlite:///somewhere.sqlite3")

    assert code == 0
    assert url.startswith("postgres://")


def test_missing_programs_are_one_line(start: Starter) -> None:
    """It says what to install."""
    hidden = (
        "import os, runpy, sys; import tools.find_postgres as f; f.OFF_PATH = 'nowhere/*';"
        " os.environ['PATH'] = '/nowhere'; sys.argv = ['tools/postgres.py', sys.executable];"
        " runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    code, output, errors = outcome(start("-c", hidden))

    assert (code, output) == (1, "")
    assert errors.startswith("error: PostgreSQL is missing: install it")
    assert errors.count("\n") == 1


def test_a_command_that_is_not_found_is_one_line(start: Starter) -> None:
    """The server ends."""
    missing = "error: /no/such/program: No such file or directory\n"

    assert outcome(start(TOOL, "/no/such/program")) == (127, "", missing)


def test_a_call_without_a_command_is_one_line(start: Starter) -> None:
    """It shows the usage."""
    code, _, errors = outcome(start(TOOL))

    assert code == 1
    assert errors.startswith("usage:")
    assert errors.count("\n") == 1


class Waiting:
    """The tool with a command that waits, and the processes that both left running."""

    def __init__(self, runner: subprocess.Popen[str]) -> None:
        self.runner = runner
        assert runner.stdout
        self.folder = folder_of(runner.stdout.readline().strip())
        self.command = int(runner.stdout.readline())
        self.server = int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def server_processes(self) -> list[int]:
        """Return the server's processes, by their working folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                folder = (process / "cwd").readlink()
            except OSError:  # it has ended, or belongs to another user
                continue
            if self.folder in (folder, *folder.parents):
                found.append(int(process.name))
        return found


@pytest.fixture
def waiting(start: Starter) -> Iterator[Waiting]:
    """Start the tool with a command that waits."""
    with start(TOOL, str(start.python), "-c", WAIT) as runner:
        waiting = Waiting(runner)
        try:
            yield waiting
        finally:
            runner.kill()
            end(waiting.command)
    eventually(lambda: not waiting.server_processes())
    shutil.rmtree(waiting.folder, ignore_errors=True)


def end(pid: int) -> None:
    """Kill a process that may have ended already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline
        sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends a process with its parent's")
def test_killed_runner_leaves_no_server_process(waiting: Waiting) -> None:
    """By SIGKILL, which it cannot handle."""
    processes = waiting.server_processes()
    assert waiting.server in processes
    assert len(processes) > 1

    waiting.runner.send_signal(signal.SIGKILL)

    eventually(lambda: not waiting.server_processes())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_terminated_runner_ends_command_and_server(waiting: Waiting) -> None:
    """The folder is deleted too."""
    waiting.runner.terminate()

    assert waiting.runner.wait(timeout=30) == 128 + signal.SIGTERM
    assert waiting.server_processes() == []
    assert not waiting.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(waiting.command, 0)
