"""The contract of a pubsub backend.

A backend carries messages between processes and remembers a while. Two classes make one:
`PubSub`, which any thread of any process may use to send, and `Upstream`, one event loop's
connection on which it listens.

**Delivery** is at least once. A message may come twice and a receiver treats a repeat as news, so
a backend in doubt sends again or resets; it never stays silent.

**Order.** Within a topic, if one transaction's commit returned before another began, its message
comes first. Between topics, and between overlapping transactions, any order may come. So it may
where something failed and was sent late: see `realtime.backends.outbox`, on which backends outside
the project's database are built.

**Watching.** `watch()` returns only after the backend has confirmed: what is sent after that is
received. The cursor it returns is a position from which nothing of these topics is missed;
messages before it may still come. Watching `list:5` does not watch `list:`: the hub asks for both.

**Loss.** An upstream that may have missed something says so, by raising `UpstreamLost` from
`receive()`; it is then dead, and its owner makes a new one and resets everybody. A reconnect that
nobody hears of is a bug.

**Replay.** What followed a cursor is told as if its holder had been there all along: all of it, in
its order, or more than that, or else CannotReplay is raised and the holder reset. "Nothing was
missed" is said only when it can be proven; see `Upstream.replay()`.

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
    """Do nothing: what `prepare()` returns when commit itself is the sending."""


class PubSub(ABC):
    """Sends messages, and makes connections that receive them. Safe in any thread."""

    process_local: ClassVar[bool] = False
    """Do messages stay within the process that sent them?"""

    supports_replay: ClassVar[bool] = False
    """Can an upstream replay what followed a cursor? Where not, subscribers get a reset."""

    def __init__(self, **options: object) -> None:
        if options:
            raise TypeError(
                f"{type(self).__name__} expected no such OPTIONS, got {sorted(options)}"
            )

    def stores_on(self, using: str) -> bool:
        """Does `prepare()` store messages in a transaction on `using`, so that its commit sends?"""
        return False

    def reads_on(self, using: str) -> bool:
        """Does `position()` read in the snapshot of a transaction on `using`, like its holder?

        A backend that keeps its history in the database where it stores does; one beside it, which
        stores there only what is still to be sent, does not.
        """
        return self.stores_on(using)

    def check(self) -> list[CheckMessage]:
        """Return system-check messages about this backend's configuration."""
        return []

    @abstractmethod
    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Take messages within the writer's transaction on the database `using`.

        Return what to call once that transaction has committed, in the same thread. If it rolls
        back the call is never made, and nothing may remain. A backend that stores messages in the
        database does so here.
        """

    def send_now(self, messages: Sequence[Message]) -> None:
        """Send messages outside any transaction that are worth nothing later."""
        self.prepare(messages, DEFAULT_DB_ALIAS)()

    def facts(self) -> Mapping[str, object]:
        """Return what an operator may want to know: how far it is, and whatever it can count.

        Where it has parts, `{"servers": {"one": {…}}}`, one that is away has an `error`. Raise
        whatever came if all of it is away.
        """
        return {"position": str(self.position())}

    @abstractmethod
    def position(self) -> Cursor:
        """Return a cursor for "now", good for any topic, named later.

        Whatever commits after this call has a later position. Take it first, then read.
        """

    async def aposition(self) -> Cursor:
        """Return a cursor for "now", from async code."""
        return await sync_to_async(self.position)()

    def serve(self) -> None:  # noqa: B027 -- optional
        """Take note that this process serves clients: the hub calls it before `connect()`."""

    @abstractmethod
    def connect(self) -> Upstream:
        """Make a connection for the running event loop. It listens to nothing yet."""


class Upstream(ABC):
    """One event loop's connection to the backend; it belongs to one hub."""

    @abstractmethod
    async def watch(self, topics: Iterable[Topic]) -> Cursor:
        """Receive messages of `topics` from here on; return once the backend has confirmed.

        Return a cursor from which nothing of these topics is missed, and which runs ahead of
        nothing that waits to be received, of a topic or family that is watched already. Raise
        UpstreamLost when the connection breaks first, or is broken or closed already.
        """

    async def resume(self, topics: Collection[Topic], patience: float) -> Collection[Topic]:
        """Watch many topics, as the successor of an upstream that was lost does.

        Return which are watched, after `patience` seconds at most. A reset of each of the others
        is received once it is watched: where a backend is several servers one of them may be away
        for long. A backend that is away as a whole, or not at all, just watches.
        """
        await self.watch(topics)
        return topics

    @abstractmethod
    async def unwatch(self, topics: Iterable[Topic]) -> None:
        """Receive no more of `topics`. What is under way may still come."""

    @abstractmethod
    async def receive(self) -> Sequence[Message]:
        """Wait for messages of the watched topics, in order, each with its cursor.

        Raise UpstreamLost when anything may have been missed; the upstream is then dead.
        """

    @abstractmethod
    def head(self) -> Cursor:
        """Return the position behind all that `receive()` has returned; `watch()` comes first.

        From there nothing of the watched topics is missed: what is older has been received, or was
        sent before they were watched. It may be given to a client who was told all of that.
        """

    def narrow(self, cursor: Cursor, *topics: Topic) -> Cursor | None:
        """Return of a cursor, a message's or `head()`, what concerns topics and their families.

        That is what those who watch them are given. A backend of one history returns it as it is;
        one of many leaves out what the topics are not heard from, and returns None where nothing
        can be said of one of them yet.
        """
        return cursor

    @abstractmethod
    async def replay(self, topics: Collection[Topic], since: Cursor) -> Sequence[Message]:
        """Return what was sent to `topics` after `since`, in order, each with its cursor.

        It may hold more than that, as far as to repeat what `receive()` returns too, and no less
        than what came before `watch()` returned. Raise CannotReplay where that is not proven.
        """

    async def check(self) -> None:  # noqa: B027 -- most need none
        """Raise UpstreamLost if it is not known that messages still arrive.

        Asked every few seconds, beside `receive()`, so that a connection that hangs without a word
        is noticed. A backend that cannot hang does nothing.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything. Calling it twice is harmless."""
