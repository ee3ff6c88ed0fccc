"""One client's connection: its identity, subscriptions, mailbox and tasks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable
from time import monotonic
from typing import Any, Protocol

from realtime.access.identity import Identity
from realtime.access.ticket_checks import TicketChecks
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
    """Sends a connection's frames: a websocket or an event stream."""

    name: str

    async def send(self, frame: Frame) -> None:
        """Send a frame behind the earlier ones; return when the server has taken it."""

    async def close(self, code: CloseCode) -> None:
        """End the connection. No frame is sent after that."""

    def fail(self, error: BaseException) -> None:
        """End it because of a server error: the client reconnects with its cursors."""

    def wake(self) -> None:
        """Send the mailbox's messages soon; called when it may have some to take."""

    def beat(self) -> None:
        """Check that the client is alive; called at each heartbeat."""

    def facts(self) -> dict[str, object]:
        """Return details for operators: name -> value."""


class Connection:
    """One client, as frame handlers see it. Owner: the event loop.

    Messages from the hub wait in `mailbox` for the transport. Tasks that run beside the handling of
    frames are started by `spawn()`, and end with the connection.
    """

    # See decision 13.
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
        "ticket_checks",
        "transport",
    )

    def __init__(
        self, identity: Identity, hub: Hub, transport: Transport, ticket_checks: TicketChecks
    ) -> None:
        # Unique, not secret. A random number of the system's costs a system call.
        self.id = f"{random.getrandbits(72):018x}"
        self.identity = identity
        self.hub = hub
        self.transport = transport
        self.ticket_checks = ticket_checks
        self.mailbox = Mailbox(conf.MAX_WAITING_ROWS, conf.MAX_MAILBOX_ROWS, transport.wake)
        self.subscriptions: Subscriptions[Topic] = Subscriptions(self.mailbox)
        self.authorization = Authorization(self)
        self.has_ended = False
        self.began = monotonic()
        # A list, not a set: see decision 13.
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def user(self) -> Any:
        """The user, as loaded last; a recheck loads it again."""
        return self.identity.user

    async def send(self, frame: Frame) -> None:
        """Send a frame behind the earlier ones; return when the server has taken it."""
        await self.transport.send(frame)

    async def close(self, code: CloseCode) -> None:
        """End the connection."""
        await self.transport.close(code)

    def note_told(self, messages: Iterable[Message]) -> None:
        """Store the cursors of messages that are being sent."""
        for message in messages:
            if message.reset:
                counters.resets[message.reset] += 1
            if message.topic in self.subscriptions.cursors and message.cursor is not None:
                self.subscriptions.cursors[message.topic] = message.cursor

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task of this connection; if it raises, the connection ends."""
        if self.has_ended:
            work.close()
            return
        task = asyncio.create_task(self._or_fail(work))
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)
        # A task cancelled before its first step never starts the coroutine: close it.
        task.add_done_callback(lambda _: work.close())

    def leave(self, topics: Iterable[Topic]) -> list[Topic]:
        """End these subscriptions; return the topics to pass to the hub's `unwatch()` now.

        It never awaits: a task that is cancelled later leaves no subscription in the hub.
        """
        topics = list(topics)
        self.authorization.forget(topics)
        return self.hub.leave(self.mailbox, *self.subscriptions.end(topics))

    async def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """End these subscriptions in any state, and unwatch their topics."""
        await self.hub.unwatch(self.leave(topics))

    async def let_go(self) -> None:
        """End the connection's tasks and subscriptions, and remove them from the hub."""
        self.has_ended = True
        tasks = [*self._tasks, *self.subscriptions.tasks()]
        for task in tasks:
            task.cancel()
        # No await before the hub has none of it: a task that is cancelled leaves nothing there.
        dependencies = self.authorization.leave()
        await self.hub.unwatch([*dependencies, *self.leave(self.subscriptions.keys())])
        await end(*tasks)

    async def _or_fail(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.transport.fail(error)
