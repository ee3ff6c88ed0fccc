"""The common behaviour of all transports: websocket, server-sent events, polling."""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import override_settings

from demo_todo.models import Task, TodoList
from realtime import Message
from realtime.access import allow
from realtime.access.signals import logged_out, users_changed
from realtime.connections.connection import Connection
from realtime.server import server_of
from tests.realtime.http.watchers import PollWatcher, SocketWatcher, StreamWatcher, Watcher
from tests.realtime.live_client import PATIENCE
from tests.realtime.websocket.telling import SENTINEL, in_thread, tell

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("kind", [SocketWatcher, StreamWatcher, PollWatcher]),
]

Kind = type[Watcher]


async def is_watched() -> None:
    """Wait until a connection is subscribed to all topics that it asked for."""
    async with asyncio.timeout(PATIENCE):
        while not any(map(_is_subscribed, server_of().connections)):
            await asyncio.sleep(0.001)


def _is_subscribed(connection: Connection) -> bool:
    found = connection.subscriptions
    return bool(found.cursors) and not found.pending()


async def test_a_change_is_sent(kind: Kind, ada: User, shopping: TodoList, topic: str) -> None:
    """With the row, and its verb."""
    watcher = kind(ada, (topic,))
    async with watcher.watching():
        task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

        told = await watcher.told()

    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}}


async def test_changes_of_several_topics_are_sent(kind: Kind, ada: User, topic: str) -> None:
    """Each under its name, one after another or together."""
    watcher = kind(ada, (topic, SENTINEL))
    async with watcher.watching():
        told: dict[str, object] = {}
        await tell(Message(topic, reset="bulk"))
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        while len(told) < 2:
            told |= await watcher.told()

    assert told == {topic: {"reset": "bulk"}, SENTINEL: {"changes": {"a.b": {"left": ["1"]}}}}


async def test_a_client_that_reconnects_gets_what_it_missed(
    kind: Kind, ada: User, shopping: TodoList, topic: str
) -> None:
    """The client comes back with its last position."""
    watcher = kind(ada, (topic, SENTINEL))
    async with watcher.watching():
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        assert set(await watcher.told()) == {SENTINEL}
    missed = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    async with watcher.watching(watcher.position):
        told = await watcher.told()

    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(missed.pk)]}}}}


async def test_a_received_message_is_not_sent_again(kind: Kind, ada: User, topic: str) -> None:
    """The next message is the sentinel."""
    watcher = kind(ada, (topic, SENTINEL))
    async with watcher.watching():
        await tell(Message(topic, {"a.b": {"1": "left"}}))
        await watcher.told()

    async with watcher.watching(watcher.position):
        await tell(Message(SENTINEL, {"a.b": {"2": "left"}}))

        assert set(await watcher.told()) == {SENTINEL}


async def test_a_position_that_proves_nothing_is_a_reset(kind: Kind, ada: User, topic: str) -> None:
    """Of every topic; never silence."""
    watcher = kind(ada, (topic,))
    position = {topic: "another.life"} if kind is SocketWatcher else "another.life"

    async with watcher.watching(position):
        assert "reset" in (await watcher.told())[topic]


async def test_a_topic_that_a_rule_no_longer_allows_is_revoked(
    kind: Kind, ada: User, topic: str
) -> None:
    """She receives `revoked` and no further message of it; other topics go on."""
    allowed = True
    allow("door")(lambda user, key: allowed)
    watcher = kind(ada, (topic, "door:1"))
    async with watcher.watching():
        await is_watched()
        allowed = False
        await in_thread(users_changed, [str(ada.pk)])

        assert await watcher.revoked() == {"door:1"}


async def test_logging_out_ends_it(kind: Kind, ada: User, topic: str) -> None:
    """In every process, whichever the logout was in."""

    def log_out() -> None:
        for session in Session.objects.all():
            request = HttpRequest()
            request.session = SessionStore(session.session_key)
            logged_out(request=request, user=ada)

    watcher = kind(ada, (topic,))
    async with watcher.watching():
        await is_watched()
        await in_thread(log_out)

        assert await watcher.closed() == 401


async def test_a_deactivated_users_connection_is_closed(kind: Kind, ada: User, topic: str) -> None:
    """Their access is checked again when they change."""
    watcher = kind(ada, (topic,))
    async with watcher.watching():
        await is_watched()
        await in_thread(lambda: User.objects.filter(pk=ada.pk).update(is_active=False))
        await in_thread(users_changed, [str(ada.pk)])

        assert await watcher.closed() == 401


async def test_a_topic_that_is_not_allowed_is_refused(kind: Kind, ada: User, topic: str) -> None:
    """By name: a missing row looks like another user's."""
    refused = await kind(ada, (topic, "list:999999", "nobody:5")).refused()

    assert refused == {"list:999999", "nobody:5"}


async def test_anonymous_clients_are_refused(kind: Kind, topic: str) -> None:
    """Unless a setting allows it."""
    assert await kind(None, (topic,)).code_at_the_door() == 401


@override_settings(REALTIME={"ALLOW_ANONYMOUS": True})
async def test_anonymous_clients_are_admitted_by_setting(kind: Kind) -> None:
    """The rules get AnonymousUser, and decide."""
    watcher = kind(None, (SENTINEL,))
    async with watcher.watching():
        await tell(Message(SENTINEL, reset="bulk"))

        assert set(await watcher.told()) == {SENTINEL}


@override_settings(REALTIME={"MAX_CONNECTIONS_A_USER": 1})
async def test_a_connection_over_the_limit_is_refused(kind: Kind, ada: User, topic: str) -> None:
    """Whatever transports the other connections have."""
    async with StreamWatcher(ada, (topic,)).watching():
        assert await kind(ada, (topic,)).code_at_the_door() == 429


async def test_a_draining_server_refuses_clients(kind: Kind, ada: User, topic: str) -> None:
    """Clients connect to another one."""
    server_of().connections.draining = True

    assert await kind(ada, (topic,)).code_at_the_door() == 503


async def test_a_client_that_leaves_leaves_nothing_behind(
    kind: Kind, ada: User, topic: str
) -> None:
    """No subscriber, no connection, no place."""
    async with kind(ada, (topic, SENTINEL)).watching():
        await is_watched()

    assert not server_of().hub._subscribers.wanted()
    assert not len(server_of().connections)
    assert not server_of().connections._taken
