"""The wire, letter by letter: other clients rely on it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import realtime
from realtime.connections.handlers import client_frames
from realtime.messages.cursors import Cursor
from realtime.messages.message import VERBS, Message
from realtime.protocol import (
    PROTOCOL,
    SERVER_FRAMES,
    At,
    CloseCode,
    Denied,
    Error,
    Frame,
    Ping,
    Pong,
    Subscribed,
    Welcome,
    changed,
    encode,
)

AT = Cursor("e", "7")


@pytest.mark.parametrize(
    ("frame", "golden"),
    [
        (
            Welcome(1, "abc", 25),
            '{"type":"welcome","protocol":1,"connection":"abc","heartbeat":25}',
        ),
        (
            Welcome(1, "abc", 0.5),
            '{"type":"welcome","protocol":1,"connection":"abc","heartbeat":0.5}',
        ),
        (
            Subscribed({"list:5": At("e.7")}),
            '{"type":"subscribed","topics":{"list:5":{"cursor":"e.7"}}}',
        ),
        (
            changed(
                [
                    Message(
                        "list:5",
                        {"demo_todo.task": {"19": "entered", "17": "updated", "4": "left"}},
                        cursor=AT,
                    )
                ]
            ),
            (
                '{"type":"changed","topics":{"list:5":{"cursor":"e.7","changes":{"demo_todo.task":'
                '{"entered":["19"],"updated":["17"],"left":["4"]}}}}}'
            ),
        ),
        (
            changed([Message("list:5", {"a.b": {"1": "left", "2": "left"}}, cursor=AT)]),
            (
                '{"type":"changed","topics":{"list:5":{"cursor":"e.7","changes":{"a.b":'
                '{"left":["1","2"]}}}}}'
            ),
        ),
        (
            changed(
                [
                    Message("list:5", {"a.b": {"1": "left"}}, cursor=AT, extra="secret"),
                    Message("list:6", {"a.b": {"1": "left"}}, "overflow", AT, "secret"),
                ]
            ),
            (
                '{"type":"changed","topics":{"list:5":{"cursor":"e.7","changes":{"a.b":'
                '{"left":["1"]}}},"list:6":{"cursor":"e.7","reset":"overflow"}}}'
            ),
        ),
        (
            changed([Message("list:5", cursor=AT)]),
            '{"type":"changed","topics":{"list:5":{"cursor":"e.7","changes":{}}}}',
        ),
        (Denied({"list:9": "reason"}), '{"type":"denied","topics":{"list:9":"reason"}}'),
        (Ping(3), '{"type":"ping","seq":3}'),
        (Pong(), '{"type":"pong"}'),
        (Error("code", "what"), '{"type":"error","code":"code","message":"what"}'),
        (
            Error("code", "what", "v1"),
            '{"type":"error","code":"code","message":"what","id":"v1"}',
        ),
    ],
)
def test_a_frame_is_spelled(frame: Frame, golden: str) -> None:
    """Exactly so."""
    assert encode(frame).decode() == golden


def test_every_frame_of_the_server_has_been_looked_at() -> None:
    """A new frame needs a line above."""
    types = {str(frame.__struct_config__.tag) for frame in SERVER_FRAMES}

    assert types == {
        "welcome",
        "subscribed",
        "changed",
        "denied",
        "revoked",
        "ping",
        "pong",
        "error",
    }


def test_the_close_codes() -> None:
    """Clients decide by them whether and when to reconnect."""
    assert {code.name: code.value for code in CloseCode} == {
        "NOT_UNDERSTOOD": 4400,
        "NOT_AUTHENTICATED": 4401,
        "REFUSED": 4403,
        "SILENT": 4408,
        "TOO_LARGE": 4413,
        "TOO_MANY": 4429,
        "DRAINING": 4503,
        "FULL": 4504,
    }


@pytest.fixture(scope="module")
def client() -> dict[str, Any]:
    """The constants of the JavaScript client."""
    module = Path(realtime.__file__).parent / "static/realtime/connection/protocol.js"
    script = f"import * as all from {json.dumps(str(module))}; console.log(JSON.stringify(all));"
    found = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(found.stdout)  # type: ignore[no-any-return]


def test_the_client_speaks_this_version(client: dict[str, Any]) -> None:
    """Both sides of the wire are shipped together."""
    assert client["PROTOCOL"] == PROTOCOL


def test_the_client_knows_all_that_the_server_sends(client: dict[str, Any]) -> None:
    """It may know more: frames of later servers."""
    sent = {str(frame.__struct_config__.tag) for frame in SERVER_FRAMES}

    assert sent <= set(client["SERVER_FRAMES"].values())


def test_the_client_can_send_all_that_the_server_handles(client: dict[str, Any]) -> None:
    """It may know more here, too."""
    assert client_frames() <= set(client["CLIENT_FRAMES"].values())


def test_the_client_knows_the_verbs(client: dict[str, Any]) -> None:
    """These and no others."""
    assert set(client["VERBS"].values()) == VERBS


def test_the_client_knows_the_close_codes(client: dict[str, Any]) -> None:
    """Those below 4000 are the standard's."""
    theirs = {code for code in client["CLOSE"].values() if code >= 4000}

    assert theirs == {int(code) for code in CloseCode}
