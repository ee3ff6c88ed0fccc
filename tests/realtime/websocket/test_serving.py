"""The ASGI application for a project's asgi.py."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from realtime import server
from realtime.asgi import Application, with_websockets
from realtime.backends.memory import MemoryPubSub
from realtime.server import close_server, known_server
from realtime.transports.errors import Refused
from realtime.transports.http import HttpTransport
from realtime.transports.request import Parameters


async def page(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def asked_for_a_page(application: Application | None = None) -> list[dict[str, Any]]:
    """Serve a request, and return what was sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await (application or with_websockets(page))({"type": "http", "path": "/"}, None, send)
    return sent


async def test_a_process_listens_from_its_first_request_on() -> None:
    """Before any subscription: it answers operators, and sends the rows left by a crash."""
    with mock.patch.object(server, "get_pubsub", return_value=MemoryPubSub()):
        await asked_for_a_page()
        found = known_server()
        assert found is not None
        assert found.hub._listener is not None

        await asked_for_a_page()
        assert known_server() is found
        await close_server()


async def test_pages_are_shown_without_a_backend(caplog: pytest.LogCaptureFixture) -> None:
    """Pages without live data do not need it; its failure and its return are logged once each."""
    missing = mock.patch.object(server, "get_pubsub", side_effect=ImportError("no redis"))
    with missing:
        answers = [await asked_for_a_page() for _ in range(3)]
        with pytest.raises(Refused):
            HttpTransport(Parameters(["list:1"], [], [], 0.0))
    assert [sent["status"] for (sent,) in answers] == [200] * 3
    (record,) = (each for each in caplog.records if each.levelname == "ERROR")
    assert "its backend cannot be made" in record.getMessage()
    assert record.exc_info is not None

    caplog.clear()
    with mock.patch.object(server, "get_pubsub", return_value=MemoryPubSub()):
        for _ in range(3):
            await asked_for_a_page()
        await close_server()
    (record,) = (each for each in caplog.records if each.levelname == "WARNING")
    assert "its backend was made" in record.getMessage()
