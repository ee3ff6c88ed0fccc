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
from realtime.hub.hub import Hub
from realtime.hub.mailbox import Mailbox
from realtime.messages.cursors import Cursor
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
    """What frame handlers are given. Owner: the event loop; `topics` belongs to its handlers.

    What the hub has to say waits in `mailbox` for the transport. Whatever runs for a connection
    beside the handling of its frames is begun by `spawn()`, and ends with it.
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
        "pending",
        "replaying",
        "topics",
        "transport",
    )

    def __init__(self, identity: Identity, hub: Hub, transport: Transport) -> None:
        self.id = secrets.token_urlsafe(9)
        self.identity = identity
        self.hub = hub
        self.transport = transport
        self.mailbox = Mailbox(conf.MAX_WAITING_ROWS, conf.MAX_MAILBOX_ROWS, transport.wake)
        self.topics: dict[Topic, Cursor | str | None] = {}
        """What it may watch and does, and the cursor that the client was told last of each.

        As an object, if it came from the backend: that one is all connections' together.
        """
        self.authorization = Authorization(self)
        self.replaying = asyncio.Lock()
        """Held by whoever looks for what this client missed: one look at a time."""
        self.pending: dict[asyncio.Task[Cursor | str], Topic] = {}
        """Subscriptions that the client has not been told of yet."""
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
            if message.topic in self.topics and message.cursor is not None:
                self.topics[message.topic] = message.cursor

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

    def no_longer_pending(self, task: asyncio.Task[Cursor | str]) -> None:
        """Take note that a subscription is not wanted any longer, or was confirmed, or failed."""
        if task.cancelled():
            self.pending.pop(task, None)
        else:
            task.exception()  # whoever waits for it raises it; several may fail together

    async def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """Watch these no more, whether they were confirmed or not."""
        unwanted = [topic for topic in topics if self.topics.pop(topic, "") != ""]
        for task, topic in list(self.pending.items()):
            if topic in unwanted and not task.cancel():
                # Confirmed, and now the client is not told so.
                del self.pending[task]
        self.authorization.forget(unwanted)
        await self.hub.unsubscribe(self.mailbox, *unwanted)

    async def let_go(self) -> None:
        """Unsubscribe from everything; nothing is left behind in the hub."""
        self.has_ended = True
        tasks = [*self._tasks, *self.pending]
        for task in tasks:
            task.cancel()
        topics, self.topics = self.topics, {}
        # Nothing is awaited before all of this is out of the hub: a task that dies leaves nothing.
        last = [*self.hub.leave(self.mailbox, *topics), *self.authorization.leave()]
        await self.hub.unwatch(last)
        await end(*tasks)

    async def _or_fail(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.transport.fail(error)
