"""Being told: what happens to the database, and what of it a client hears."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from demo_todo.models import Task, TodoList
from realtime import Message
from realtime.messages.message import Reset
from realtime.models import StoredRecord
from realtime.server import server_of
from tests.realtime.live_client import PATIENCE, LiveClient, connected
from tests.realtime.websocket.telling import in_thread, tell

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_committed_change_is_told(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Another request saves a task; whoever watches its list hears which row."""
    before = await client.subscribe(topic)

    task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    told = await client.changed()
    cursor = told[topic].pop("cursor")
    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}}
    assert cursor != before[topic]["cursor"]


async def test_a_change_that_was_rolled_back_is_not_told(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Nothing changed, so nothing is said."""
    await client.subscribe(topic)

    def change_your_mind() -> None:
        with transaction.atomic():
            Task.objects.create(list=shopping, title="Milk")
            transaction.set_rollback(True)

    await in_thread(change_your_mind)
    sentinel = await in_thread(lambda: Task.objects.create(list=shopping, title="Bread"))

    rows = (await client.changed())[topic]["changes"]["demo_todo.task"]
    assert rows == {"entered": [str(sentinel.pk)]}


async def test_a_bulk_reset_of_the_family_is_told_under_the_topic(
    client: LiveClient, topic: str
) -> None:
    """A client knows topics, not families."""
    await client.subscribe(topic)

    await tell(Message("list:", reset=Reset.BULK))

    told = await client.changed()
    assert told == {topic: {"cursor": told[topic]["cursor"], "reset": "bulk"}}


async def test_every_verb_has_a_list_of_its_own(client: LiveClient, topic: str) -> None:
    """Lists that would be empty are absent."""
    await client.subscribe(topic)

    await tell(
        Message(topic, {"a.b": {"1": "entered", "2": "left", "3": "left"}}),
        Message(topic, {"a.c": {"1": "updated"}, "a.b": {"1": "updated"}}),
    )

    changes: dict[str, dict[str, list[str]]] = {}
    while "a.c" not in changes:
        changes |= (await client.changed())[topic]["changes"]
    assert changes["a.c"] == {"updated": ["1"]}


async def test_what_is_opaque_never_reaches_a_client(client: LiveClient, topic: str) -> None:
    """`extra` may hold images of rows that this user may not see."""
    await client.subscribe(topic)

    await tell(Message(topic, {"a.b": {"1": "left"}}, extra={"secret": "salary"}))

    output = await client.communicator.receive_output(PATIENCE)
    assert "secret" not in output["text"]
    assert json.loads(output["text"])["topics"][topic]["changes"] == {"a.b": {"left": ["1"]}}


async def test_images_of_rows_never_reach_a_client(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """They are stored with the message, and stay within the servers."""
    await client.subscribe(topic)

    task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    output = await client.communicator.receive_output(PATIENCE)
    told = json.loads(output["text"])["topics"][topic]
    assert told.pop("cursor")
    assert told == {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}
    assert "images" in await in_thread(lambda: StoredRecord.objects.latest("id").payload)
    assert "images" not in output["text"]


async def test_a_slow_client_is_told_at_once_what_was_many(
    client: LiveClient, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is merged, and too much of it becomes a reset."""
    await client.subscribe(topic)
    mailbox = next(iter(server_of().hub._subscribers.of(topic)))
    monkeypatch.setattr(mailbox, "_most_rows", 3)

    await tell(*(Message(topic, {"a.b": {str(pk): "updated"}}) for pk in range(50)))

    assert (await client.changed())[topic]["reset"] == "overflow"


async def test_two_clients_hear_the_same(ada: User, topic: str) -> None:
    """The hub watches once, and tells everybody."""
    async with connected(ada) as one, connected(ada) as two:
        await one.subscribe(topic)
        await two.subscribe(topic)

        await tell(Message(topic, {"a.b": {"1": "left"}}))

        assert await one.changed() == await two.changed()
