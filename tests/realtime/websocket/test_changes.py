"""Changes in the database, and the frames that a client receives."""

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


async def test_a_committed_change_is_sent(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Another request saves a task; a subscriber of its list gets the row."""
    before = await client.subscribe(topic)

    task = await in_thread(lambda: Task.objects.create(list=shopping, title="Milk"))

    told = await client.changed()
    cursor = told[topic].pop("cursor")
    assert told == {topic: {"changes": {"demo_todo.task": {"entered": [str(task.pk)]}}}}
    assert cursor != before[topic]["cursor"]


async def test_a_rolled_back_change_is_not_sent(
    client: LiveClient, shopping: TodoList, topic: str
) -> None:
    """Nothing changed, so no frame is sent."""
    await client.subscribe(topic)

    def change_your_mind() -> None:
        with transaction.atomic():
            Task.objects.create(list=shopping, title="Milk")
            transaction.set_rollback(True)

    await in_thread(change_your_mind)
    sentinel = await in_thread(lambda: Task.objects.create(list=shopping, title="Bread"))

    rows = (await client.changed())[topic]["changes"]["demo_todo.task"]
    assert rows == {"entered": [str(sentinel.pk)]}


async def test_a_reset_of_the_family_is_sent_under_the_topic(
    client: LiveClient, topic: str
) -> None:
    """A client knows topics, not families."""
    await client.subscribe(topic)

    await tell(Message("list:", reset=Reset.BULK))

    told = await client.changed()
    assert told == {topic: {"cursor": told[topic]["cursor"], "reset": "bulk"}}


async def test_every_verb_has_a_list_of_its_own(client: LiveClient, topic: str) -> None:
    """Empty lists are left out."""
    await client.subscribe(topic)

    await tell(
        Message(topic, {"a.b": {"1": "entered", "2": "left", "3": "left"}}),
        Message(topic, {"a.c": {"1": "updated"}, "a.b": {"1": "updated"}}),
    )

    changes: dict[str, dict[str, list[str]]] = {}
    while "a.c" not in changes:
        changes |= (await client.changed())[topic]["changes"]
    assert changes["a.c"] == {"updated": ["1"]}


async def test_extra_never_reaches_a_client(client: LiveClient, topic: str) -> None:
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


async def test_messages_for_a_slow_client_are_merged(
    client: LiveClient, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting messages are merged, and too many rows become a reset."""
    await client.subscribe(topic)
    mailbox = next(iter(server_of().hub._subscribers.of(topic)))
    monkeypatch.setattr(mailbox, "_most_rows", 3)

    await tell(*(Message(topic, {"a.b": {str(pk): "updated"}}) for pk in range(50)))

    assert (await client.changed())[topic]["reset"] == "overflow"


async def test_two_clients_receive_the_same(ada: User, topic: str) -> None:
    """The hub watches once, and delivers to all."""
    async with connected(ada) as one, connected(ada) as two:
        await one.subscribe(topic)
        await two.subscribe(topic)

        await tell(Message(topic, {"a.b": {"1": "left"}}))

        assert await one.changed() == await two.changed()
