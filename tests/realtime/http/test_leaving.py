"""A request leaves nothing behind, however it ends and whatever middleware is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.utils.decorators import sync_only_middleware

from realtime import Message
from realtime.asgi import with_websockets
from realtime.server import server_of
from tests.realtime.http.requests import answer, asking, query, streaming
from tests.realtime.hub.listening import until
from tests.realtime.live_client import PATIENCE, cookie_of
from tests.realtime.websocket.telling import SENTINEL, tell

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 30
"""More than any thread pool grows by meanwhile."""

GetResponse = Callable[[HttpRequest], HttpResponse]


@sync_only_middleware
def plain(get_response: GetResponse) -> GetResponse:
    """Do nothing, as sync middleware: everything behind it runs in threads."""
    return lambda request: get_response(request)


@sync_only_middleware
def instead(get_response: GetResponse) -> GetResponse:
    """Answer differently than the view did."""

    def answer(request: HttpRequest) -> HttpResponse:
        get_response(request)
        return HttpResponse("something else")

    return answer


def with_middleware(name: str) -> Any:
    return override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, name])


def nothing_is_left() -> bool:
    connections = server_of().connections
    return not (len(connections) or connections._taken or server_of().hub._subscribers.wanted())


@with_middleware(f"{__name__}.plain")
async def test_middleware_may_be_sync(ada: User, since: str, topic: str) -> None:
    """Django then runs the view through threads; the stream stays on the event loop."""
    async with streaming(ada, topic) as stream:
        await stream.event("subscribed")
        await tell(Message(topic, reset="bulk"))
        assert (await stream.event("changed")).data[topic]["reset"] == "bulk"
    await until(nothing_is_left)

    _, found = await answer(ada, query("changes", topic, since=since, wait=20))
    assert found["topics"][topic]["reset"] == "bulk"
    await until(nothing_is_left)


@with_middleware("django.middleware.gzip.GZipMiddleware")
async def test_a_stream_is_not_compressed(ada: User, topic: str) -> None:
    """Nor buffered."""
    accepted = {"accept-encoding": "gzip"}
    async with asking(ada, query("sse", topic), accepted) as request:
        await request.answered()
        await request.event("welcome")
        assert (await request.event("subscribed")).data


@pytest.mark.parametrize("middleware", [f"{__name__}.plain", None])
async def test_a_poll_ends_with_its_client(ada: User, since: str, middleware: str | None) -> None:
    """It does not wait for messages any longer."""
    with with_middleware(middleware) if middleware else override_settings():
        async with asking(ada, query("changes", SENTINEL, since=since, wait=20)):
            await until(lambda: server_of().hub._subscribers.topics())

    await until(nothing_is_left)


@with_middleware(f"{__name__}.instead")
@override_settings(REALTIME={"HANDSHAKE_TIMEOUT": 0.2})
async def test_a_stream_without_a_reader_is_released(ada: User) -> None:
    """Middleware answered otherwise, and does not close the stream that it dropped."""
    async with asking(ada, query("sse", SENTINEL)) as request:
        await request.answered()

    await until(nothing_is_left)


@override_settings(REALTIME={"SSE_SECONDS": 0.3})
async def test_a_client_that_its_server_waits_for_is_cut_off(
    ada: User, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As uvicorn waits for a client that does not read: messages are merged, then it is cut off."""
    monkeypatch.setattr("realtime.transports.sse.CUT_AFTER", 0.05)
    application = with_websockets(ASGIHandler())
    stuck = asyncio.Event()

    async def receive() -> dict[str, object]:
        if not stuck.is_set():
            stuck.set()
            return {"type": "http.request", "body": b""}
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    cookie = (b"cookie", await cookie_of(ada))
    path, _, text = query("sse", topic).partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": text.encode()}
    scope["headers"] = [(b"host", b"localhost"), cookie]
    serving = asyncio.ensure_future(application(scope, receive, send))
    await until(lambda: len(server_of().connections))
    (connection,) = server_of().connections
    for number in range(20):
        await tell(Message(topic, {"a.b": {str(number): "left"}}))
    assert len(connection.mailbox) <= 1

    # Some versions of Django count a cancelled request as answered.
    await asyncio.wait_for(asyncio.gather(serving, return_exceptions=True), PATIENCE)
    await until(nothing_is_left)


@override_settings(REALTIME={"HANDSHAKE_TIMEOUT": 2})
async def test_leaving_at_any_moment_leaves_nothing(ada: User, since: str, topic: str) -> None:
    """A server may cancel its task anywhere; also between the answer and its body."""
    cookie = {"cookie": (await cookie_of(ada)).decode()}
    for turn in range(30):
        for path in (query("sse", topic), query("changes", topic, since=since)):
            async with asking(None, path, cookie):
                for _ in range(turn * 10):
                    await asyncio.sleep(0)

    await until(nothing_is_left)


async def test_a_stream_keeps_no_thread(ada: User, topic: str) -> None:
    """Django makes one for each request, and would keep it, with its connections, to the end."""
    async with streaming(ada, topic) as first:
        await first.event("subscribed")
        before = threading.active_count()
        async with AsyncExitStack() as streams:
            for _ in range(MANY):
                stream = await streams.enter_async_context(streaming(ada, topic))
                await stream.event("subscribed")

            # Shared pools may have grown by some.
            await until(lambda: threading.active_count() < before + MANY // 2)
    await until(nothing_is_left)
