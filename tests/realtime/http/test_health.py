"""Whether a load balancer may send clients to this process."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from realtime import server as servers
from realtime.backends.memory import MemoryPubSub
from realtime.server import close_server, server_of
from tests.realtime.http.requests import answer
from tests.realtime.live_client import PATIENCE

HEALTH = "/live/health/"


async def status() -> tuple[int, object]:
    return await answer(None, HEALTH)


async def becomes(expected: tuple[int, object]) -> None:
    """Wait until this is the answer."""
    async with asyncio.timeout(PATIENCE):
        while await status() != expected:
            await asyncio.sleep(0)


async def test_a_process_connected_to_its_backend_is_healthy(pubsub: MemoryPubSub) -> None:
    """The answer is the same for every client."""
    with mock.patch.object(servers, "get_pubsub", return_value=pubsub):
        await becomes((200, {"status": "ok"}))
        assert server_of().hub.is_connected

        server_of().connections.draining = True
        assert await status() == (503, {"status": "draining"})
        await close_server()


async def test_a_process_that_starts_is_not_healthy_yet(pubsub: MemoryPubSub) -> None:
    """It does not know whether the backend will connect."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    with (
        mock.patch.object(servers, "get_pubsub", return_value=pubsub),
        mock.patch.object(servers.Hub, "_start", never),
    ):
        assert await status() == (503, {"status": "starting"})
        await close_server()


async def test_a_process_without_its_backend_is_not_healthy(pubsub: MemoryPubSub) -> None:
    """Its clients are reset when it reconnects; others should connect elsewhere."""
    away = mock.patch.object(type(pubsub), "connect", side_effect=OSError("no route"))
    with mock.patch.object(servers, "get_pubsub", return_value=pubsub):
        with away:
            await becomes((503, {"status": "backend away"}))
        await becomes((200, {"status": "ok"}))
        await close_server()


async def test_bad_health_is_not_logged_as_the_projects_error(
    pubsub: MemoryPubSub, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked every few seconds: Django would mail each 503 to the admins."""
    with mock.patch.object(servers, "get_pubsub", return_value=pubsub):
        server_of().connections.draining = True
        assert (await status())[0] == 503
        await close_server()

    assert not [record for record in caplog.records if record.name.startswith("django")]


async def test_a_process_whose_backend_cannot_be_made_is_not_healthy() -> None:
    """Its pages are shown all the same."""
    with mock.patch.object(servers, "get_pubsub", side_effect=ImportError("no redis")):
        assert await status() == (503, {"status": "backend away"})
