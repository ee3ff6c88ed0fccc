"""Pages render, subscribe, fetch and are cut off, with writes at any moment: none gets stale.

One thread plays all parts, so that Hypothesis decides on the order: the hubs of two servers receive
messages when a step lets them, and writes come between any two steps of a subscription. The pages
behave like the JavaScript client, which keeps received and applied messages apart.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from traceback import format_exception
from typing import Any, TypeVar
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from demo_todo.models import Membership, Task, TodoList
from realtime import Message, position, publish
from realtime.backends import get_pubsub
from realtime.backends.database import records
from realtime.backends.database.history import History
from realtime.connections.connection import Connection
from realtime.connections.subscribe import subscribe
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.cursors import Cursor
from realtime.messages.topics import Topic
from realtime.protocol import Denied, Subscribe, Wanted
from tests.contract.test_interleaving import using
from tests.realtime.transports import Staying, connection_of, frames_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.hypothesis]

T = TypeVar("T")
Rows = dict[str, str]

LISTS, PAGES, HUBS = 3, 3, 2
PATIENCE = 20.0
LABEL = Task._meta.label_lower
SENTINEL = Topic("sentinel:1")

lists, pages, hubs = (st.integers(0, number - 1) for number in (LISTS, PAGES, HUBS))
WAYS = ("create", "rename", "move", "move all", "delete")
writes = st.tuples(st.sampled_from(WAYS), lists, lists)
Write = tuple[str, int, int]
perhaps = st.lists(writes, max_size=1)


@dataclass
class Page:
    """The rows that a page shows, and the messages that it has received."""

    rows: dict[str, Rows] = field(default_factory=dict)
    applied: dict[str, str] = field(default_factory=dict)
    """By topic, the cursor up to which the page's rows are current."""
    dirty: list[Message] = field(default_factory=list)
    """Received messages whose rows are not fetched yet."""
    response: tuple[list[Message], dict[str, Rows]] | None = None
    """The fetched topics, and the tasks at the time of the fetch."""
    hub: int = 0
    connection: Connection | None = None


class Doors:
    """A hub that runs a callback whenever a page subscribes or unsubscribes."""

    def __init__(self, hub: Hub, happen: Callable[[], Awaitable[None]]) -> None:
        self._hub = hub
        self._happen = happen
        self.unsubscribe, self.leave, self.unwatch = hub.unsubscribe, hub.leave, hub.unwatch

    async def subscribe(self, mailbox: Mailbox, topic: Topic) -> Cursor:
        await self._happen()
        found = await self._hub.subscribe(mailbox, topic)
        await self._happen()
        return found

    async def replay(self, topic: Topic, since: Cursor) -> Sequence[Message]:
        found = await self._hub.replay(topic, since)
        await self._happen()
        return found


class Interleavings(RuleBasedStateMachine):
    """Three pages that show three lists, two servers, and writers."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        TodoList.objects.all().delete()
        self.user, _ = User.objects.get_or_create(username="ada")
        self.lists = [TodoList.objects.create(name=f"list {each}") for each in range(LISTS)]
        for each in self.lists:
            Membership.objects.create(list=each, user=self.user)
        self.topics = [str(Topic.of("list", each.pk)) for each in self.lists]
        self.loop = asyncio.new_event_loop()
        self.hubs = [Hub(get_pubsub()) for _ in range(HUBS)]
        self.longer = connections[DEFAULT_DB_ALIAS].copy()
        self.pages = [Page() for _ in range(PAGES)]
        for page in self.pages:
            self._render(page, [])

    @rule(what=writes)
    def write(self, what: Write) -> None:
        self._write(what)

    @precondition(lambda self: _may_be_long(self.longer))
    @rule(what=writes)
    def begin_a_long_transaction(self, what: Write) -> None:
        """It creates only: other writers would wait for rows that it locks."""
        with using(self.longer):
            self.block = transaction.atomic()
            self.block.__enter__()
            self._write(("create", *what[1:]))

    @rule()
    def end_the_long_transaction(self) -> None:
        if self.longer.in_atomic_block:
            with using(self.longer):
                self.block.__exit__(None, None, None)

    @rule(page=pages, between=perhaps)
    def render(self, page: int, between: list[Write]) -> None:
        if self.pages[page].connection is None:
            self._render(self.pages[page], between)

    @rule(page=pages, hub=hubs, happening=st.lists(perhaps, max_size=9))
    def connect(self, page: int, hub: int, happening: list[list[Write]]) -> None:
        if self.pages[page].connection is None:
            self._connect(self.pages[page], hub, happening)

    @rule(hub=hubs)
    def let_a_server_hear(self, hub: int) -> None:
        self._hear(hub)

    @rule(page=pages)
    def receive(self, page: int) -> None:
        self._receive(self.pages[page])

    @rule(page=pages)
    def ask(self, page: int) -> None:
        self._ask(self.pages[page])

    @rule(page=pages)
    def apply(self, page: int) -> None:
        self._apply(self.pages[page])

    @rule(page=pages)
    def cut_off(self, page: int) -> None:
        self._cut_off(self.pages[page])

    @rule(page=pages, hub=hubs, what=writes)
    def lose_what_was_received(self, page: int, hub: int, what: Write) -> None:
        """The page is cut off before it fetches: rare by chance, and frequent in trains."""
        self.connect(page, hub, [])
        self._write(what)
        self._hear(self.pages[page].hub)
        self._receive(self.pages[page])
        self._cut_off(self.pages[page])

    @rule(hub=hubs)
    def restart_a_server(self, hub: int) -> None:
        for page in self.pages:
            if page.hub == hub:
                self._cut_off(page)
        self._run(self.hubs[hub].close())
        self.hubs[hub] = Hub(get_pubsub())

    @rule()
    def forget_the_history(self) -> None:
        records.prune(records.head(DEFAULT_DB_ALIAS), DEFAULT_DB_ALIAS)

    @rule()
    def let_all_be_quiet(self) -> None:
        """Stop writing; then no page may be stale."""
        self.end_the_long_transaction()
        for page in self.pages:
            if page.connection is None:
                self._connect(page, page.hub, [])
        for hub in range(HUBS):
            self._hear(hub)
        for page in self.pages:
            self._apply(page)
            self._receive(page)
            self._ask(page)
            self._apply(page)
            for topic in self.topics:
                assert page.rows[topic] == _rows_of(topic), f"{topic} since {page.applied[topic]}"

    def teardown(self) -> None:
        try:
            self.let_all_be_quiet()
        finally:
            self.end_the_long_transaction()
            for page in self.pages:
                self._cut_off(page)
            for hub in self.hubs:
                self._run(hub.close())
            self.longer.close()
            self.loop.close()

    def _run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    def _write(self, what: Write) -> None:
        way, one, other = what
        self.number += 1
        title, tasks = f"task {self.number}", Task.objects.filter(list=self.lists[one])
        task = tasks.first()
        if way == "create":
            Task.objects.create(list=self.lists[one], title=title)
        elif way == "move all":
            tasks.update(list=self.lists[other], title=title)
        elif task is not None and way == "delete":
            task.delete()
        elif task is not None:
            task.title = title
            task.list = self.lists[other if way == "move" else one]
            task.save()

    def _render(self, page: Page, between: list[Write]) -> None:
        cursor = str(position())
        for what in between:
            self._write(what)
        page.rows = {topic: _rows_of(topic) for topic in self.topics}
        page.applied = dict.fromkeys(self.topics, cursor)
        page.dirty, page.response = [], None

    def _connect(self, page: Page, hub: int, happening: list[list[Write]]) -> None:
        steps = iter(happening)

        async def happen() -> None:
            for what in next(steps, []):
                await asyncio.to_thread(self._write_elsewhere, what)

        page.hub = hub
        doors: Any = Doors(self.hubs[hub], happen)
        page.connection = connection_of(self.user, doors, kind=Staying)
        wanted = [Wanted(topic, cursor) for topic, cursor in page.applied.items()]
        self._run(self._subscribe(page.connection, wanted))
        assert not any(isinstance(frame, Denied) for frame in frames_of(page.connection))

    async def _subscribe(self, connection: Connection, wanted: list[Wanted]) -> None:
        """Subscribe, and wait for a late confirmation, while other transactions write."""
        await subscribe(connection, Subscribe(wanted))
        await _settled(connection)

    def _write_elsewhere(self, what: Write) -> None:
        try:
            self._write(what)
        finally:
            connections.close_all()

    def _hear(self, hub: int) -> None:
        """Let a server receive all stored messages."""

        async def until_it_has() -> None:
            mailbox = Mailbox(1)
            await self.hubs[hub].subscribe(mailbox, SENTINEL)
            await asyncio.to_thread(self._tell_sentinel)
            await mailbox.take()
            await self.hubs[hub].unsubscribe(mailbox, SENTINEL)

        self._run(until_it_has())

    def _tell_sentinel(self) -> None:
        try:
            publish([Message(SENTINEL, reset="bulk")])
        finally:
            connections.close_all()

    def _receive(self, page: Page) -> None:
        if page.connection is not None:
            # A subscription in doubt is held until its rule has been asked again.
            self._run(_settled(page.connection))
            messages = page.connection.mailbox.take_now()
            page.connection.note_told(messages)
            page.dirty += messages

    def _ask(self, page: Page) -> None:
        if page.dirty and page.response is None:
            now = {topic: _rows_of(topic) for topic in self.topics}
            page.response, page.dirty = (page.dirty, now), []

    def _apply(self, page: Page) -> None:
        if page.response is not None:
            messages, now = page.response
            page.response = None
            for message in messages:
                _replace(page.rows[message.topic], now[message.topic], message)
                page.applied[message.topic] = str(message.cursor)

    def _cut_off(self, page: Page) -> None:
        """Drop the page's connection, with the messages that it received and has not applied."""
        if page.connection is not None:
            self._run(page.connection.let_go())
        page.connection, page.response, page.dirty = None, None, []


async def _settled(connection: Connection) -> None:
    while connection.subscriptions.pending() or connection._tasks:
        await asyncio.sleep(0.001)


def _rows_of(topic: str) -> Rows:
    tasks = Task.objects.filter(list=int(Topic(topic).key))
    return {str(pk): title for pk, title in tasks.values_list("pk", "title")}


def _replace(shown: Rows, now: Rows, message: Message) -> None:
    """Replace the rows that the message names, and no others: a page is not right by chance."""
    told = {*shown, *now} if message.reset else set(message.changes.get(LABEL, ()))
    for pk in told:
        shown.pop(pk, None)
        if pk in now:
            shown[pk] = now[pk]


def _may_be_long(connection: BaseDatabaseWrapper) -> bool:
    """Return True if a transaction can stay open beside other writers, and none is open yet."""
    return connection.vendor == "postgresql" and not connection.in_atomic_block


@pytest.mark.timeout(300)
def test_no_page_is_stale() -> None:
    """In any order of the steps."""
    run_machine(settings().max_examples // 3)


class HastyReader(Interleavings):
    """A server that reads the rows before it takes the cursor."""

    def _render(self, page: Page, between: list[Write]) -> None:
        super()._render(page, [])
        for what in between or [("create", 0, 0)]:
            self._write(what)
        page.applied = dict.fromkeys(self.topics, str(position()))


class HastyApplier(Interleavings):
    """A page that treats received messages as applied."""

    def _receive(self, page: Page) -> None:
        super()._receive(page)
        page.applied |= {message.topic: str(message.cursor) for message in page.dirty}


class Forgetful(Interleavings):
    """A server that answers every cursor with "no messages missed"."""

    def _connect(self, *arguments: Any) -> None:
        with mock.patch.object(History, "since", return_value=[]):
            super()._connect(*arguments)


@pytest.mark.sqlite
@pytest.mark.parametrize("broken", [HastyReader, HastyApplier, Forgetful])
def test_broken_server_or_page_is_found(broken: type[Interleavings]) -> None:
    """The rules above find broken servers and pages. A threaded failure may not repeat."""
    with pytest.raises((AssertionError, FlakyFailure)) as found:
        run_machine(1_000, broken, phases=[Phase.generate])

    assert re.search(r"AssertionError: list:\d+ since ", "".join(format_exception(found.value)))


def run_machine(examples: int, machine: type[Interleavings] = Interleavings, **more: Any) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, database=None, **more
    )
    run_state_machine_as_test(machine, settings=chosen)
