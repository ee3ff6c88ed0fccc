"""One client's connection, whatever transport carries it: who it is and what it watches."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Iterable
from time import monotonic
from typing import Any, Protocol

from realtime.access.identity import Identity
from realtime.concurrency import end
from realtime.conf import conf
from realtime.connections.authorization import Authorization
from realtime.connections.subscriptions import Subscriptions
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Frame
from realtime.telemetry import counters


class Transport(Protocol):
    """What carries a connection's frames."""

    name: str

    async def send(self, frame: Frame) -> None:
        """Send a frame behind those before it; return when it is out of our hands."""

    async def close(self, code: CloseCode) -> None:
        """End the connection. Nothing is sent after that."""

    def fail(self, error: BaseException) -> None:
        """End it because of an error of ours: the client comes back with its cursors."""

    def wake(self) -> None:
        """Take note that something waits in the mailbox."""

    def beat(self) -> None:
        """Find out whether the client is there; called at each heartbeat."""

    def facts(self) -> dict[str, object]:
        """Return what operators want to know of it."""


class Connection:
    """What frame handlers are given. Owner: the event loop.

    Messages from the hub wait in `mailbox` for the transport. `spawn()` begins each task that runs
    for a connection beside the handling of its frames, and the task ends with the connection.
    """

    # One for each client: without a dict for its attributes it takes less.
    __slots__ = (
        "_tasks",
        "authorization",
        "began",
        "has_ended",
        "hub",
        "id",
        "identity",
        "mailbox",
        "subscriptions",
        "transport",
    )

    def __init__(self, identity: Identity, hub: Hub, transport: Transport) -> None:
        self.id = secrets.token_urlsafe(9)
        self.identity = identity
        self.hub = hub
        self.transport = transport
        self.mailbox = Mailbox(conf.MAX_WAITING_ROWS, conf.MAX_MAILBOX_ROWS, transport.wake)
        self.subscriptions: Subscriptions[Topic] = Subscriptions(self.mailbox)
        self.authorization = Authorization(self)
        self.has_ended = False
        self.began = monotonic()
        # Few, and mostly none, of which an empty set would take four times as much memory.
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def user(self) -> Any:
        """Whose connection it is, as they were when last looked at."""
        return self.identity.user

    async def send(self, frame: Frame) -> None:
        """Send a frame behind those before it; return when it is out of our hands."""
        await self.transport.send(frame)

    async def close(self, code: CloseCode) -> None:
        """End the connection."""
        await self.transport.close(code)

    def note_told(self, messages: Iterable[Message]) -> None:
        """Remember how far the client has been told of its topics."""
        for message in messages:
            if message.reset:
                counters.resets[message.reset] += 1
            if message.topic in self.subscriptions.cursors and message.cursor is not None:
                self.subscriptions.cursors[message.topic] = message.cursor

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for this connection beside the rest; if it fails, the connection ends."""
        if self.has_ended:
            work.close()
            return
        task = asyncio.create_task(self._or_fail(work))
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)
        # A task that is cancelled before its first step never comes to what it was made for.
        task.add_done_callback(lambda _: work.close())

    def leave(self, topics: Iterable[Topic]) -> list[Topic]:
        """End these subscriptions; return what is to be given to the hub's `unwatch()` now.

        Nothing is awaited here: a task that is cancelled later leaves nothing behind.
        """
        topics = list(topics)
        self.authorization.forget(topics)
        return self.hub.leave(self.mailbox, *self.subscriptions.end(topics))

    async def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """End these subscriptions, in whatever state they are."""
        await self.hub.unwatch(self.leave(topics))

    async def let_go(self) -> None:
        """Unsubscribe from everything; nothing is left behind in the hub."""
        self.has_ended = True
        tasks = [*self._tasks, *self.subscriptions.tasks()]
        for task in tasks:
            task.cancel()
        # Nothing is awaited before all of this is out of the hub: a task that dies leaves nothing.
        dependencies = self.authorization.leave()
        await self.hub.unwatch([*dependencies, *self.leave(self.subscriptions.keys())])
        await end(*tasks)

    async def _or_fail(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.transport.fail(error)
