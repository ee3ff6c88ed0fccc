"""A private nginx for tests: an ordinary process in front of servers that run elsewhere.

    with Nginx("server { listen 127.0.0.1:PORT; … }", folder) as nginx:   # nginx.port, nginx.log

The configuration is the content of `http { }`; PORT in it becomes a free port. nginx writes only to
`folder`, and ends with its parent process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

READY_WITHIN = 60.0
PR_SET_PDEATHSIG = 1
SBIN = "/usr/sbin:/usr/local/sbin"
"""Debian's folders for nginx, which are not on every user's PATH."""

MAIN = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr warn;
{user}
events {{
    worker_connections 1024;
}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    {site}
}}
"""


class NginxMissing(RuntimeError):
    """No nginx was found."""


def find_nginx() -> str:
    """Return the path of nginx: on PATH, or in Debian's folders."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if found is None:
        message = "nginx is missing: install it (Debian/Ubuntu: apt-get install nginx)."
        raise NginxMissing(message)
    return found


class Nginx:
    """One nginx. It runs after `start()`, and logs to `{folder}/nginx.log`."""

    def __init__(self, site: str, folder: Path) -> None:
        # The socket is inherited, so that no other process takes the port before nginx does.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.log = folder / "nginx.log"
        self._folder = folder
        self._conf = folder / "nginx.conf"
        # By default its workers run as the user nobody, who may not read a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        site = site.replace("PORT", str(self.port))
        self._conf.write_text(MAIN.format(folder=folder, user=user, site=site))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start nginx, and wait until it serves."""
        fd = self._socket.fileno()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [find_nginx(), "-p", str(self._folder), "-c", str(self._conf), "-e", "stderr"],
                env={"NGINX": f"{fd};"},  # as nginx passes sockets to its successor
                pass_fds=[fd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- one system call
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End nginx at once, with its workers."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._socket.close()

    def _wait_until_ready(self) -> None:
        """Wait for the pid file, which nginx writes when it has its sockets and begins to serve."""
        deadline = time.monotonic() + READY_WITHIN
        while not (self._folder / "nginx.pid").exists():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.01)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
