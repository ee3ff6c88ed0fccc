"""What is the same, whatever carries it: the websocket, server-sent events, polling."""

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
    """Wait until somebody is connected who is subscribed to all that they asked for."""
    async with asyncio.timeout(PATIENCE):
        while not any(each.topics and not each.pending for each in server_of().connections):
            await asyncio.sleep(0.001)


async def test_a_change_is_told(kind: Kind, ada: User, shopping: TodoList, topic: str) -> None:
    """Which row, and what became of it."""
    watcher = kind(ada, (topic,))
    async with watcher.watching():
        task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

        told = await watcher.told()

    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}}


async def test_changes_of_several_topics_are_told(kind: Kind, ada: User, topic: str) -> None:
    """Each under its name, one after another or together."""
    watcher = kind(ada, (topic, SENTINEL))
    async with watcher.watching():
        told: dict[str, object] = {}
        await tell(Message(topic, reset="bulk"))
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        while len(told) < 2:
            told |= await watcher.told()

    assert told == {topic: {"reset": "bulk"}, SENTINEL: {"changes": {"a.b": {"left": ["1"]}}}}


async def test_what_was_missed_is_told_to_one_who_comes_back(
    kind: Kind, ada: User, shopping: TodoList, topic: str
) -> None:
    """With the position at which it was when it was last told something."""
    watcher = kind(ada, (topic, SENTINEL))
    async with watcher.watching():
        await tell(Message(SENTINEL, {"a.b": {"1": "left"}}))
        assert set(await watcher.told()) == {SENTINEL}
    missed = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    async with watcher.watching(watcher.position):
        told = await watcher.told()

    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(missed.pk)]}}}}


async def test_what_was_told_is_not_told_again(kind: Kind, ada: User, topic: str) -> None:
    """What comes next is the sentinel."""
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


async def test_what_a_rule_no_longer_allows_is_revoked(kind: Kind, ada: User, topic: str) -> None:
    """She is told so, instead of what happens there; of the others she goes on to hear."""
    allowed = True
    allow("door")(lambda user, key: allowed)
    watcher = kind(ada, (topic, "door:1"))
    async with watcher.watching():
        await is_watched()
        allowed = False
        await in_thread(users_changed, [str(ada.pk)])

        assert await watcher.revoked() == {"door:1"}


async def test_logging_out_ends_it(kind: Kind, ada: User, topic: str) -> None:
    """In every process, whichever it was that was told."""

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


async def test_a_user_who_is_deactivated_is_sent_away(kind: Kind, ada: User, topic: str) -> None:
    """They are looked at anew when they change."""
    watcher = kind(ada, (topic,))
    async with watcher.watching():
        await is_watched()
        await in_thread(lambda: User.objects.filter(pk=ada.pk).update(is_active=False))
        await in_thread(users_changed, [str(ada.pk)])

        assert await watcher.closed() == 401


async def test_what_is_not_allowed_is_refused(kind: Kind, ada: User, topic: str) -> None:
    """By name: what does not exist looks like what is somebody else's."""
    refused = await kind(ada, (topic, "list:999999", "nobody:5")).refused()

    assert refused == {"list:999999", "nobody:5"}


async def test_nobody_is_not_let_in(kind: Kind, topic: str) -> None:
    """Unless a setting says so."""
    assert await kind(None, (topic,)).code_at_the_door() == 401


@override_settings(REALTIME={"ALLOW_ANONYMOUS": True})
async def test_nobody_is_welcome_by_setting(kind: Kind) -> None:
    """The rules then see AnonymousUser, and decide."""
    watcher = kind(None, (SENTINEL,))
    async with watcher.watching():
        await tell(Message(SENTINEL, reset="bulk"))

        assert set(await watcher.told()) == {SENTINEL}


@override_settings(REALTIME={"MAX_CONNECTIONS_A_USER": 1})
async def test_one_too_many_is_not_let_in(kind: Kind, ada: User, topic: str) -> None:
    """Of whatever kind the others are."""
    async with StreamWatcher(ada, (topic,)).watching():
        assert await kind(ada, (topic,)).code_at_the_door() == 429


async def test_a_server_that_drains_lets_nobody_in(kind: Kind, ada: User, topic: str) -> None:
    """Another one is there for them."""
    server_of().connections.draining = True

    assert await kind(ada, (topic,)).code_at_the_door() == 503


async def test_nothing_is_left_of_one_who_leaves(kind: Kind, ada: User, topic: str) -> None:
    """No subscriber, no connection, no place."""
    async with kind(ada, (topic, SENTINEL)).watching():
        await is_watched()

    assert not server_of().hub._subscribers.wanted()
    assert not len(server_of().connections)
    assert not server_of().connections._taken
