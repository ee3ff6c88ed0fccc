"""A writer is killed: its committed messages are sent, and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest
from asgiref.sync import sync_to_async

from demo_todo.models import Task, TodoList
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from tests.contract.database_case import DatabaseCase, environment_of_the_demo

WRITER = """
import sys
import django
django.setup()
from unittest import mock
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from demo_todo.models import Task

step, todo = sys.argv[1], int(sys.argv[2])

def stop_here(*_, **__):
    print("here", flush=True)
    sys.stdin.read()

def behind(original):
    def run(*arguments, **options):
        result = original(*arguments, **options)
        stop_here()
        return result
    return run

if step == "written":
    from invalidation.capture.orm import write
    write.Write.note = behind(write.Write.note)
elif step == "stored":
    from realtime.backends.database import records
    records.write = behind(records.write)
elif step == "committing":
    BaseDatabaseWrapper._commit = stop_here
elif step == "committed":
    BaseDatabaseWrapper._commit = behind(BaseDatabaseWrapper._commit)
elif step == "announcing":
    from realtime.backends.database import pubsub
    pubsub._announce = stop_here

with transaction.atomic():
    Task.objects.create(list_id=todo, title="written by who was killed")
    Task.objects.filter(list_id=todo).update(done=True)
print("survived", flush=True)
"""

COMMITTED = {"written": False, "stored": False, "committing": False}
COMMITTED |= {"committed": True, "announcing": True}


class TestKilledWriter(DatabaseCase):
    """The writer is killed at each step between the write and the wake-up."""

    async def test_committed_messages_were_sent_and_no_others(self) -> None:
        """Whichever step it was killed at; a later client receives the message as well."""
        for step, committed in COMMITTED.items():
            todo = await TodoList.objects.acreate(name=step)
            topic, sentinel = Topic.of("list", todo.pk), Topic("sentinel:1")
            before = await self.make_pubsub().aposition()
            async with self.upstream(topic, sentinel) as upstream:
                await sync_to_async(self._kill_at)(step, todo.pk)
                await self.send(Message(sentinel, reset="bulk"))

                told = []
                while not any(message.topic == sentinel for message in told):
                    told += await self.within(upstream.receive())

            titles = [task.title async for task in Task.objects.filter(list=todo)]
            self.assertEqual(bool(titles), committed, step)
            self.assertEqual([m.topic for m in told], [topic] * committed + [sentinel], step)
            async with self.upstream(topic) as later:
                again = await self.replayed(later, [topic], before)
                self.assertEqual([m.topic for m in again or ()], [topic] * committed, step)

    def _kill_at(self, step: str, todo: int) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, step, str(todo)],
            env=environment_of_the_demo(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert writer.stdout is not None
            self.assertEqual(writer.stdout.readline(), "here\n", step)
        finally:
            writer.kill()
            writer.communicate(timeout=self.patience)


pytestmark = pytest.mark.timeout(120)
