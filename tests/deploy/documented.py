"""The files that the documentation tells users to copy, with a test's paths and limits."""

from __future__ import annotations

import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NGINX = ROOT / "examples/nginx/live.conf"
UNIT = ROOT / "examples/systemd/example@.service"
APPLICATION = "tests.convergence.board.asgi:application"

HEADER_TIMEOUT = 10
"""Seconds within which a client must send its headers, as documented. Not fewer: nginx closes the
connection of a test without a response if the test pauses for longer on a busy machine."""
CONNECTIONS = 20
"""The limit for one address."""


def nginx_site(sockets: list[Path], folder: Path) -> str:
    """Return live.conf with a test's paths, and a smaller limit of connections."""
    text = NGINX.read_text()
    for line in ("    listen [::]:80;\n", "    listen [::]:443 ssl http2;\n"):
        text = _with(text, line, "")
    text = _with(text, "/etc/ssl/example/", f"{folder}/", times=2)
    for number, path in enumerate(sockets, start=1):
        text = _with(text, f"unix:/run/example-{number}/web.sock", f"unix:{path}")
    text = _with(text, "listen 80;", f"listen unix:{folder}/http.sock;")
    listens = f"listen 127.0.0.1:PORT; listen unix:{folder}/https.sock ssl http2;"
    text = _with(text, "listen 443 ssl http2;", listens)
    text = _with(text, "/var/log/nginx/example.log", f"{folder}/access.log")
    text = _with(text, "alias /srv/example/static/", f"alias {folder}/static/")
    assert f"client_header_timeout {HEADER_TIMEOUT}s" in text
    return _with(text, "example_addresses 200", f"example_addresses {CONNECTIONS}", times=3)


def server_command(kind: str, path: Path) -> list[str]:
    """Return the arguments with which the unit runs Python, for a socket at `path`."""
    lines = (line.lstrip("#") for line in UNIT.read_text().splitlines())
    (line,) = (line for line in lines if line.startswith("ExecStart=") and f"-m {kind} " in line)
    line = _with(line, "/run/example-%i/web.sock", str(path))
    line = _with(line, "example.asgi:application", APPLICATION)
    return shlex.split(line)[1:]


def drain_command(process: str) -> list[str]:
    """Return the arguments of the management command that the unit runs before it stops."""
    (line,) = (line for line in UNIT.read_text().splitlines() if line.startswith("ExecStop="))
    line = _with(line, "%H:${MAINPID}", process)
    line = _with(line, "--seconds 20", "--seconds 0.5")
    return shlex.split(line)[1:]


def _with(text: str, old: str, new: str, times: int = 1) -> str:
    assert text.count(old) == times, f"expected {old!r} {times} times, got {text.count(old)}"
    return text.replace(old, new)
