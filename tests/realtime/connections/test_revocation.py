"""A user's connections end by messages of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections, transaction
from django.test import Client, override_settings
from django.utils import timezone

from invalidation import signals
from invalidation.tracking import registry as tracking
from realtime import Message
from realtime.access import allow
from realtime.access.signals import CONCERNED
from realtime.connections import revocation as revocation_module
from realtime.connections.heartbeat import Heartbeat
from realtime.connections.registry import Connections
from realtime.connections.revocation import Revocation
from realtime.models import StoredRecord
from realtime.protocol import CloseCode
from realtime.server import close_server
from tests.realtime.live_client import PATIENCE, LiveClient, communicator
from tests.realtime.websocket.telling import SENTINEL, in_thread, tell

pytestmark = pytest.mark.django_db(transaction=True)


class Browser:
    """A user who is logged in, and her websocket."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.http = Client()
        self.http.force_login(user)

    async def open(self) -> None:
        cookie = f"sessionid={self.http.cookies[settings.SESSION_COOKIE_NAME].value}"
        self.communicator = communicator(cookie=cookie.encode())
        await self.communicator.connect(PATIENCE)
        self.socket = LiveClient(self.communicator)
        await self.socket.receive("welcome")
        await self.socket.subscribe(SENTINEL)

    async def is_closed(self) -> bool:
        """Return whether a close is the next thing that the client receives, within a second."""
        output = await self.communicator.receive_output(1)
        return output.get("code") == CloseCode.NOT_AUTHENTICATED

    async def is_told(self) -> bool:
        """Return whether the client still receives changes, and no other frame before."""
        await tell(Message(SENTINEL, reset="bulk"))
        return (await self.socket.receive())["type"] == "changed"

    async def close(self) -> None:
        if not self.communicator.future.done():
            await self.communicator.disconnect(timeout=PATIENCE)
        await asyncio.gather(self.communicator.future, return_exceptions=True)


Open = Callable[[str], Any]


@pytest_asyncio.fixture
async def open_as() -> AsyncIterator[Open]:
    """`ada = await open_as("ada")`: another websocket of hers, with a session of its own."""
    allow("sentinel")(lambda user, key: True)
    opened: list[Browser] = []

    def log_in(name: str) -> Browser:
        known = User.objects.filter(username=name).first()
        return Browser(known or User.objects.create_user(name, password="old"))

    async def open_as(name: str) -> Browser:
        browser = await in_thread(log_in, name)
        await browser.open()
        opened.append(browser)
        return browser

    yield open_as
    for browser in opened:
        await browser.close()
    await asyncio.wait_for(close_server(), PATIENCE)
    await in_thread(connections.close_all)


def change_password(user: User) -> None:
    user.set_password("new")
    user.save()


def deactivate(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


@pytest.mark.parametrize("end", [change_password, deactivate, User.delete])
async def test_a_change_of_a_user_closes_her_sockets_and_no_others(
    open_as: Open, end: Callable[[User], object]
) -> None:
    """All of hers, within a second."""
    ada, again, grace = [await open_as(name) for name in ("ada", "ada", "grace")]

    await in_thread(end, ada.user)

    assert await ada.is_closed()
    assert await again.is_closed()
    assert await grace.is_told()


async def test_logging_out_closes_the_sockets_of_that_session(open_as: Open) -> None:
    """Those of her other browser stay."""
    here, there = await open_as("ada"), await open_as("ada")

    await in_thread(here.http.logout)

    assert await here.is_closed()
    assert await there.is_told()


async def test_a_change_that_is_rolled_back_closes_nothing(open_as: Open) -> None:
    """The database has not changed."""
    ada = await open_as("ada")

    def change_your_mind() -> None:
        with transaction.atomic():
            deactivate(ada.user)
            transaction.set_rollback(True)

    await in_thread(change_your_mind)

    assert await ada.is_told()


@override_settings(REALTIME={"HEARTBEAT": 0.4, "RECHECK": 0.6, "SILENCE": 60})
async def test_the_recheck_notices_an_expired_session(open_as: Open) -> None:
    """Its end sends no message; nor does deleting the session by hand."""
    ada = await open_as("ada")

    expired = timezone.now() - timedelta(1)
    await in_thread(lambda: Session.objects.update(expire_date=expired))

    while (await ada.communicator.receive_output(PATIENCE)).get("code") != 4401:
        pass


async def test_logging_in_elsewhere_sends_nothing(open_as: Open) -> None:
    """It writes only last_login, which takes no permission away."""
    ada = await open_as("ada")
    before = await StoredRecord.objects.acount()

    await in_thread(lambda: Client().login(username="ada", password="old"))

    assert await StoredRecord.objects.acount() == before
    assert await ada.is_told()


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
async def test_a_new_login_is_accepted_with_sessions_in_cookies(open_as: Open) -> None:
    """All her sessions have the same mark, as long as her password is the same."""
    ada = await open_as("ada")
    await in_thread(ada.http.logout)
    assert await ada.is_closed()

    again = await open_as("ada")

    assert await again.is_told()


@pytest.fixture
def tracked_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "registry", tracking.Registry())
    tracking.track(User)


async def test_a_bulk_change_of_tracked_users_closes_their_sockets(
    open_as: Open, tracked_users: None
) -> None:
    """Django sends no signal for it."""
    ada, grace = await open_as("ada"), await open_as("grace")

    await in_thread(lambda: User.objects.filter(username="ada").update(is_active=False))

    assert await ada.is_closed()
    assert await grace.is_told()


async def test_changes_of_unknown_users_have_all_connections_rechecked(
    open_as: Open, tracked_users: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many rows, or raw SQL; the rechecks are spread over some time."""
    monkeypatch.setattr(revocation_module, "SPREAD", 0.05)
    ada, grace = await open_as("ada"), await open_as("grace")

    with override_settings(INVALIDATION={"MAX_ROWS": 1}):
        await in_thread(lambda: User.objects.update(is_active=False))

    assert await ada.is_closed()
    assert await grace.is_closed()


async def test_a_bulk_change_of_last_login_rechecks_no_connection(
    tracked_users: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of another column does, beside it or in the same transaction."""
    told: list[list[str]] = []
    monkeypatch.setattr(signals, "users_changed", lambda keys, using: told.append(list(keys)))
    ada = await in_thread(User.objects.create_user, "ada")
    now = timezone.now()

    def write(*values: dict[str, object]) -> None:
        told.clear()
        with transaction.atomic():
            for each in values:
                User.objects.update(**each)

    for values, concerned in (
        ([{"last_login": now}], []),
        ([{"last_login": now}, {"last_login": now}], []),
        ([{"last_login": now, "password": "x"}], [str(ada.pk)]),
        ([{"last_login": now}, {"is_active": False}], [str(ada.pk)]),
        ([{"is_active": True}, {"last_login": now}], [str(ada.pk)]),
    ):
        await in_thread(write, *values)
        assert told == [concerned], values


@pytest.mark.parametrize("label", ["user", "session", "reset", "other"])
async def test_a_user_who_changes_while_the_socket_opens_is_rechecked(label: str) -> None:
    """The user was loaded before the change, and the message found no connection yet."""
    observer = Revocation(Connections(Heartbeat()))
    message = {
        "user": Message(CONCERNED, {"user": {"7": "updated"}}),
        "session": Message(CONCERNED, {"session": {"mark": "left"}}),
        "reset": Message(CONCERNED, reset="bulk"),
        "other": Message(CONCERNED, {"user": {"8": "updated"}}),
    }[label]

    assert not observer.may_have_changed("7", 0.001)
    observer.observe(message)

    assert observer.may_have_changed("7", 0.001) is (label in ("user", "reset"))
    assert observer.has_ended("mark", 0.001) is (label == "session")
