"""Take the README's steps in an empty folder with an empty virtual environment.

Taken otherwise than written, and nothing else:

* making and activating a virtual environment: the test has made one and put it on PATH;
* `pip install … django-livequery …`: the wheel just built stands in for the name;
* `createsuperuser` gets --noinput and the name and password below; where the README has none, it
  is run before `runserver`. The browser logs in with them at Django's /admin/;
* `runserver` runs in the background, on a free port, without the reloader;
* what follows `runserver` waits until the browser looks at the page.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.readme import Run, Walk, Write

USERNAME = "reader"
PASSWORD = "a-password-for-the-walk"
VENV = re.compile(r"(source|\.) \S*/activate$|\S*python\S* -m venv \S+$")
NAME = re.compile(r"django-livequery(?P<extras>\[[\w,-]+\])?(?=\s|$|['\"])")


class StepFailed(Exception):
    """A step of the README did not work; the message holds its line and its output."""


class WalkThrough:
    """The reader's folder, virtual environment and shell."""

    def __init__(self, walk: Walk, folder: Path, wheel: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self._wheel = wheel
        self._venv = folder / "venv"
        self._log = folder / "server.log"
        self._before, self._server, self._after = _parts(walk)
        subprocess.run([sys.executable, "-m", "venv", self._venv], check=True)

    def set_up(self) -> None:
        """Take every step that the README has before `runserver`."""
        for step in self._before:
            if isinstance(step, Write):
                self._write(step)
            else:
                self._run(step)
        if not any(isinstance(s, Run) and "createsuperuser" in s.command for s in self._before):
            self._run(Run("python manage.py createsuperuser", self._server.line))

    @contextmanager
    def server(self) -> Iterator[str]:
        """Run the README's `runserver`; the value is the address of its root."""
        port = _free_port()
        command = f"exec {self._server.command.split(' runserver')[0]} runserver --noreload {port}"
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                command, shell=True, cwd=self.folder, env=self._env(), stdout=log, stderr=log
            )
        try:
            self._wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)

    def change(self) -> None:
        """Run the commands that the README has after `runserver`: they change what it shows."""
        for step in self._after:
            self._run(step)

    def server_log(self) -> str:
        """Return what the server printed so far."""
        return self._log.read_text(errors="replace")

    def _write(self, step: Write) -> None:
        path = self.folder / step.path
        if step.append and not path.exists():
            raise StepFailed(f"README.md:{step.line}: {step.path} does not exist: no appending.")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() + "\n" + step.text if step.append else step.text
        path.write_text(text)

    def _run(self, step: Run) -> None:
        command = self._as_run(step.command)
        if command.startswith("cd "):
            self.folder = self._changed_folder(step)
            return
        done = subprocess.run(
            command,
            check=False,
            shell=True,
            cwd=self.folder,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StepFailed(
                f"README.md:{step.line}: `$ {step.command}` ended with {done.returncode}:\n"
                f"{done.stdout}{done.stderr}"
            )

    def _as_run(self, command: str) -> str:
        command = " && ".join(c for c in command.split(" && ") if not VENV.match(c)) or "true"
        if re.search(r"\bpip install\b", command):
            return NAME.sub(lambda name: f"{self._wheel}{name['extras'] or ''}", command)
        if "createsuperuser" in command and "--noinput" not in command:
            return f"{command} --noinput"
        return command

    def _changed_folder(self, step: Run) -> Path:
        folder = (self.folder / shlex.split(step.command)[1]).resolve()
        if not folder.is_dir():
            raise StepFailed(f"README.md:{step.line}: `$ {step.command}`: there is no {folder}.")
        return folder

    def _env(self) -> dict[str, str]:
        ours = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "PYTHONWARNINGS", "VIRTUAL_ENV"}
        env = {name: value for name, value in os.environ.items() if name not in ours}
        return env | {
            "PATH": f"{self._venv / 'bin'}:{os.environ['PATH']}",
            "DJANGO_SUPERUSER_USERNAME": USERNAME,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "DJANGO_SUPERUSER_EMAIL": "reader@example.com",
        }

    def _wait_for(self, port: int, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise StepFailed(
            f"README.md:{self._server.line}: `$ {self._server.command}` does not answer:\n"
            f"{self.server_log()}"
        )


def _parts(walk: Walk) -> tuple[tuple[Write | Run, ...], Run, tuple[Run, ...]]:
    """Split the steps into those before `runserver`, itself, and the commands after it."""
    servers = [s for s in walk.steps if isinstance(s, Run) and " runserver" in s.command]
    if len(servers) != 1:
        raise StepFailed(f"README.md: expected one `runserver` command, got {len(servers)}.")
    place = walk.steps.index(servers[0])
    after = [step for step in walk.steps[place + 1 :] if isinstance(step, Run)]
    if len(after) != len(walk.steps) - place - 1 or not after:
        raise StepFailed(
            f"README.md:{servers[0].line}: expected commands that change a row after `runserver`, "
            f"and all files before it."
        )
    return walk.steps[:place], servers[0], tuple(after)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
