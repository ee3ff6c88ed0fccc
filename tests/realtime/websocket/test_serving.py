"""The ASGI application for a project's asgi.py."""

from __future__ import annotations

from typing import Any
from unittest import mock

from realtime import asgi, server
from realtime.asgi import Application, with_websockets
from realtime.backends.memory import MemoryPubSub
from realtime.server import close_server, known_server


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


async def test_pages_are_shown_without_a_backend() -> None:
    """Pages without live data do not need it; the failure is logged once."""
    missing = mock.patch.object(server, "get_pubsub", side_effect=ImportError("no redis"))
    with mock.patch.object(asgi, "logger") as logger, missing:
        application = with_websockets(page)
        told = [await asked_for_a_page(application) for _ in range(3)]

    assert [sent["status"] for (sent,) in told] == [200] * 3
    logger.error.assert_called_once()
