"""The example of login by token, for programs without a session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import override_settings

from examples.tokens.models import Token
from realtime.access import allow, rules
from realtime.protocol import CloseCode
from realtime.server import close_server, server_of
from tests.realtime.http.requests import Request
from tests.realtime.hub.listening import until
from tests.realtime.live_client import PATIENCE, LiveClient, communicator, connected, cookie_of

LOGIN = {"AUTHENTICATE": "examples.tokens.live_login.token_or_session_user"}
MINE = "mine"
"""A family with one topic for each user, which only that user may watch."""

CLOSE = "websocket.close"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture(autouse=True)
async def project(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A server that authenticates by tokens, with a rule for each user's own topic."""
    monkeypatch.setattr(rules, "_rules", {})
    allow(MINE)(lambda user, pk: str(user.pk) == pk)
    with override_settings(REALTIME=LOGIN):
        yield
        await asyncio.wait_for(close_server(), PATIENCE)
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def ada() -> User:
    return await User.objects.acreate_user("ada")


@pytest_asyncio.fixture
async def token(ada: User) -> str:
    return await sync_to_async(Token.issue)(ada)


@asynccontextmanager
async def by_token(token: str) -> AsyncIterator[LiveClient]:
    """Connect as `new WebSocket(url, ["livequery", "token.…"])` does."""
    socket = communicator()
    socket.scope["subprotocols"] = ["livequery", f"token.{token}"]
    accepted, subprotocol = await socket.connect(PATIENCE)
    assert (accepted, subprotocol) == (True, "livequery")
    try:
        yield LiveClient(socket)
    finally:
        if not socket.future.done():
            await socket.disconnect(timeout=PATIENCE)
        await asyncio.gather(socket.future, return_exceptions=True)


async def test_a_valid_token_authenticates_its_user(ada: User, token: str) -> None:
    """Rules are asked for this user."""
    async with by_token(token) as client:
        await client.receive("welcome")

        assert set(await client.subscribe(f"{MINE}:{ada.pk}")) == {f"{MINE}:{ada.pk}"}


@pytest.mark.parametrize("bad", ["nobody's", ""])
async def test_an_invalid_token_is_refused(token: str, bad: str) -> None:
    """With the close code after which a client does not reconnect."""
    async with by_token(bad) as client:
        assert await client.closed() == CloseCode.NOT_AUTHENTICATED


async def test_a_session_does_not_replace_an_invalid_token(ada: User) -> None:
    """A client with a token is that user, or is refused."""
    socket = communicator(cookie=await cookie_of(ada))
    socket.scope["subprotocols"] = ["livequery", "token.nobody's"]
    await socket.connect(PATIENCE)

    assert await LiveClient(socket).closed() == CloseCode.NOT_AUTHENTICATED
    await socket.disconnect(timeout=PATIENCE)


async def closed(client: LiveClient) -> int:
    """Return the code with which the server closes; pings may come before."""
    while (output := await client.communicator.receive_output(PATIENCE))["type"] != CLOSE:
        assert json.loads(output["text"])["type"] == "ping"
    code: int = output["code"]
    return code


async def test_a_revoked_token_closes_the_socket(token: str) -> None:
    """At once, in every process."""
    async with by_token(token) as client:
        await client.receive("welcome")
        await until(lambda: server_of().hub.is_connected)

        await sync_to_async((await Token.objects.select_related("user").aget()).withdraw)()

        assert await closed(client) == CloseCode.NOT_AUTHENTICATED


@override_settings(REALTIME={**LOGIN, "RECHECK": 0.2, "HEARTBEAT": 0.1})
async def test_a_deleted_token_closes_the_socket(token: str) -> None:
    """At the next recheck, within RECHECK seconds, also if another program deleted it."""
    async with by_token(token) as client:
        await client.receive("welcome")

        await Token.objects.all().adelete()

        assert await closed(client) == CloseCode.NOT_AUTHENTICATED


async def test_a_session_authenticates_a_browser(ada: User) -> None:
    """Without a token."""
    async with connected(ada) as client:
        assert set(await client.subscribe(f"{MINE}:{ada.pk}")) == {f"{MINE}:{ada.pk}"}


async def test_a_token_authenticates_over_http(ada: User, token: str) -> None:
    """There it is in a header."""
    mine = f"{MINE}:{ada.pk}"
    headers = {"Authorization": f"Bearer {token}"}
    stream = await Request(f"/live/sse/?topic={mine}", headers).begin()
    try:
        assert (await stream.answered()).status == 200
        await stream.event("welcome")
        assert mine in (await stream.event("subscribed")).data
    finally:
        await stream.disconnect()


async def test_an_invalid_token_is_anonymous_over_http(ada: User, token: str) -> None:
    """The request is that of a client that is not logged in."""
    headers = {"Authorization": "Bearer nobody's"}
    request = await Request(f"/live/changes/?topic={MINE}:{ada.pk}", headers).begin()

    assert (await request.answered()).status == 401
    await request.disconnect()
