"""The contract of a pubsub backend.

A backend carries messages between processes and remembers them for a while. It consists of two
classes. `PubSub` sends; any thread of any process may use it. `Upstream` receives; it is the
connection of one event loop.

**Delivery** is at least once. A message may arrive twice, and a receiver treats the repeat as a new
change. A backend in doubt sends again or resets; it is never silent.

**Order.** Within a topic, if the commit of one transaction returned before another transaction
began, the first one's message arrives first. Messages of different topics, and of overlapping
transactions, arrive in any order. So do messages that were sent late after a failure: see
`realtime.backends.outbox`, the base of backends outside the project's database.

**Watching.** `watch()` returns only after the backend has confirmed: the upstream receives every
message that is sent after that. The cursor that it returns is a position from which no message of
these topics is missed; messages before it may still arrive. Watching `list:5` does not watch
`list:`: the hub watches both.

**Loss.** An upstream that may have missed a message says so: `receive()` raises `UpstreamLost`. The
upstream is then dead, and its owner makes a new one and resets every client. A reconnect without
`UpstreamLost` is a bug.

**Replay.** A replay returns every message that followed a cursor, in order, and perhaps more; or it
raises CannotReplay and the holder of the cursor is reset. An empty replay is returned only if the
backend can prove that no message was missed; see `Upstream.replay()`.

A backend that passes `realtime.testing.contract.PubSubContract` keeps this contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage
from django.db import DEFAULT_DB_ALIAS

from realtime.messages.cursors import Cursor
from realtime.messages.message import Message
from realtime.messages.topics import Topic


def nothing_to_do() -> None:
    """Do nothing: `prepare()` returns this function when the commit itself sends."""


class PubSub(ABC):
    """Sends messages, and makes connections that receive them. Safe to use from any thread."""

    process_local: ClassVar[bool] = False
    """True if messages stay within the process that sent them."""

    supports_replay: ClassVar[bool] = False
    """True if an upstream can replay the messages behind a cursor.

    If not, subscribers are reset.
    """

    def __init__(self, **options: object) -> None:
        if options:
            raise TypeError(
                f"{type(self).__name__} expected no such OPTIONS, got {sorted(options)}"
            )

    def stores_on(self, using: str) -> bool:
        """Return True if `prepare()` stores in a transaction on `using`: its commit sends."""
        return False

    def reads_on(self, using: str) -> bool:
        """Return True if `position()` reads in the snapshot of the caller's transaction on `using`.

        A backend that keeps its history in that database does. A backend beside the database, which
        stores only unsent messages there, does not.
        """
        return self.stores_on(using)

    def check(self) -> list[CheckMessage]:
        """Return system-check messages about this backend's configuration."""
        return []

    @abstractmethod
    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Take messages within the writer's transaction on the database `using`.

        Return a function that the caller calls after the commit, in the same thread. If the
        transaction rolls back, the function is not called, and nothing may remain of the messages.
        A backend that stores messages in the database does so here.
        """

    def send_now(self, messages: Sequence[Message]) -> None:
        """Send messages that lose their value at once, outside any transaction."""
        self.prepare(messages, DEFAULT_DB_ALIAS)()

    def facts(self) -> Mapping[str, object]:
        """Return facts for operators: the position, and whatever this backend counts.

        A backend of several servers returns `{"servers": {"one": {…}}}`, with an `error` for each
        server that is away. Raise the backend's own error if all of it is away.
        """
        return {"position": str(self.position())}

    @abstractmethod
    def position(self) -> Cursor:
        """Return a cursor for "now", valid for any topic, including topics that are named later.

        A transaction that commits after this call has a later position. So take the position first,
        then read the data.
        """

    async def aposition(self) -> Cursor:
        """Return a cursor for "now", from async code."""
        return await sync_to_async(self.position)()

    def serve(self) -> None:  # noqa: B027 -- optional
        """Take note that this process serves clients: the hub calls it before `connect()`."""

    @abstractmethod
    def connect(self) -> Upstream:
        """Make a connection for the running event loop. It watches no topic yet."""


class Upstream(ABC):
    """One event loop's connection to the backend; it belongs to one hub."""

    @abstractmethod
    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        """Receive messages of `topics` from here on; return once the backend has confirmed.

        Return a cursor from which no message of these topics is missed. If a topic or family is
        watched already, the cursor is not ahead of its messages that wait to be received. Raise
        UpstreamLost if the connection breaks first, or is broken or closed already.
        """

    async def resume(self, topics: Collection[Topic], patience: float) -> Collection[Topic]:
        """Watch many topics after an earlier upstream was lost.

        Return the topics that are watched, after at most `patience` seconds. Each of the other
        topics is watched later, and receives a reset then: one server of several may be away for
        long. A backend that is either up or away as a whole just calls `watch()`.
        """
        await self.watch(topics)
        return topics

    @abstractmethod
    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Stop receiving messages of `topics`. Messages under way may still arrive."""

    @abstractmethod
    async def receive(self) -> Sequence[Message]:
        """Wait for messages of the watched topics; return them in order, each with its cursor.

        Raise UpstreamLost if any message may have been missed; the upstream is then dead.
        """

    @abstractmethod
    def head(self) -> Cursor:
        """Return the position behind all that `receive()` has returned; call `watch()` first.

        No message of the watched topics is missed from there: each older message was received, or
        was sent before its topic was watched. The position may be sent to a client that was sent
        all of those messages.
        """

    def narrow(self, cursor: Cursor, *topics: Topic) -> Cursor | None:
        """Return the part of a cursor that concerns `topics` and their families.

        The cursor is a message's or that of `head()`; the result is sent to the subscribers of
        these topics. A backend with one history returns the cursor unchanged. A backend with
        several histories leaves out those that these topics are not received from, and returns None
        if it has no position for one of the topics yet.
        """
        return cursor

    @abstractmethod
    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        """Return the messages sent to `topics` after `since`, in order, each with its cursor.

        It returns every message sent before `watch()` returned. It may return more, and may repeat
        messages that `receive()` returns too. Raise CannotReplay if completeness is not proven.
        """

    async def check(self) -> None:  # noqa: B027 -- most need none
        """Raise UpstreamLost unless messages are known to still arrive.

        The hub calls this every few seconds, beside `receive()`, to detect a connection that hangs.
        A backend that cannot hang does nothing.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release all resources. A second call does nothing."""
