"""The files to copy agree with the defaults of the settings and with the page about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime.conf import Defaults
from realtime.transports.poll import SETTLE_TIMEOUT
from tests.deploy.documented import NGINX, ROOT, UNIT, server_command

PAGE = ROOT / "docs/how-to/deploy.md"

defaults = Defaults()


def read_timeout(location: str) -> int:
    (block,) = re.findall(rf"location {location} {{(.*?)}}", NGINX.read_text(), re.DOTALL)
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", block)
    return int(seconds)


def option(kind: str, name: str) -> float:
    command = server_command(kind, Path("web.sock"))
    return float(command[command.index(name) + 1])


@pytest.mark.parametrize("location", ["/ws/live/", "/live/sse/"])
def test_nginx_waits_for_the_heartbeat(location: str) -> None:
    """Also if one heartbeat is lost."""
    assert read_timeout(location) > 2 * defaults.HEARTBEAT


def test_nginx_waits_for_a_poll() -> None:
    """Also if the backend is slow."""
    assert read_timeout("/live/changes/") > defaults.POLL_WAIT + SETTLE_TIMEOUT


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("uvicorn", "--ws-max-size"),
        ("daphne", "--websocket-max-message-size"),
        ("daphne", "--websocket-max-frame-size"),
    ],
)
def test_a_frame_that_is_too_large_reaches_the_application(kind: str, name: str) -> None:
    """It closes the connection with a code that names the reason."""
    assert option(kind, name) > defaults.MAX_FRAME_BYTES


def test_a_slow_handshake_reaches_the_application_timeout() -> None:
    """The application closes with a code, the server would not."""
    assert option("daphne", "--websocket_connect_timeout") > defaults.HANDSHAKE_TIMEOUT


def test_the_limit_of_open_files_is_above_that_of_connections() -> None:
    """With some to spare."""
    (files,) = re.findall(r"^LimitNOFILE=(\d+)$", UNIT.read_text(), re.MULTILINE)

    assert int(files) > 2 * defaults.MAX_CONNECTIONS


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_each_option_is_explained(kind: str) -> None:
    """Except those for the socket and the log."""
    command = server_command(kind, Path("web.sock"))
    options = {each for each in command if each.startswith("--")}

    explained = set(re.findall(r"`(--[\w-]+)", PAGE.read_text()))
    assert options - explained == options & {"--uds", "--no-access-log", "--verbosity"}


@pytest.mark.parametrize("file", [NGINX, UNIT])
def test_the_page_shows_the_file(file: Path) -> None:
    """By inclusion, not as a copy."""
    assert f"{{literalinclude}} ../../{file.relative_to(ROOT)}\n" in PAGE.read_text()
