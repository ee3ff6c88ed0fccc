"""What a process holds for its clients: one `Server` an event loop, found by `server_of()`.

A process that serves has one event loop, so one server. A program with several loops, in several
threads or one after another, has one for each: they share nothing but what is the process's.

- The process's, and not here: the backend (`realtime.backends`), the rules, their threads, the
  relay of the outbox, and what is counted (`realtime.telemetry`), since counts go on when a loop
  has ended.
- A loop that ends: call `close_server()` in it, last. The server of a loop that was closed without
  that is forgotten when the next one is made.
- A fork: the child has no server, whatever its parent had.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable

from realtime.access.identity_loader import IdentityLoader
from realtime.backends import PubSub, get_pubsub
from realtime.connections.admission import Admission
from realtime.connections.drain import Drain
from realtime.connections.flush_queue import FlushQueue
from realtime.connections.heartbeat import Heartbeat
from realtime.connections.registry import Connections
from realtime.connections.revocation import Revocation
from realtime.hub.hub import Hub
from realtime.hub.listen import listen_at
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message


class Server:
    """The hub of one event loop, the connections it serves, and what is done for all of them.

    Owner of all its parts, which belong to that loop; other threads may read what they count. A
    part is handed those that it needs, and knows no server.
    """

    def __init__(self, pubsub: PubSub) -> None:
        """Make one that hears `pubsub`, once its hub is started."""
        self.heartbeat = Heartbeat()
        self.flush_queue = FlushQueue()
        self.connections = Connections(self.heartbeat)
        self.drain = Drain(self.connections)
        self.revocation = Revocation(self.connections)
        self.identity_loader = IdentityLoader()
        self.admission = Admission(self.connections, self.revocation, self.identity_loader)
        self.hub = Hub(pubsub, [self.revocation])

    async def close(self) -> None:
        """Stop draining, identifying and listening. Connections end when their transports do."""
        self.drain.stop()
        await self.identity_loader.close()
        await self.hub.close()


_servers: dict[asyncio.AbstractEventLoop, Server] = {}

_inherited: list[Server] = []
"""A parent's, in a forked child: never used, and kept.

They hold the parent's own sockets, on which a client library may say goodbye when it is freed.
"""


def server_of(
    loop: asyncio.AbstractEventLoop | None = None, make: Callable[[], PubSub] | None = None
) -> Server:
    """Return the server of an event loop, the running one by default; make it at the first call.

    `make` gives the backend of one that is made, the project's by default. Raise what it raises:
    BackendMissing, most of all.
    """
    loop = loop or asyncio.get_running_loop()
    found = _servers.get(loop)
    if found is None:
        _forget_closed_loops()
        found = _servers[loop] = Server((make or get_pubsub)())
    return found


def known_server() -> Server | None:
    """Return the running event loop's server, if it has one already."""
    return _servers.get(asyncio.get_running_loop())


def all_servers() -> list[Server]:
    """Return this process's servers, from any thread."""
    return list(_servers.values())


async def close_server() -> None:
    """Close and forget the running event loop's server, if it has one."""
    found = _servers.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def listen(topics: Iterable[str], since: Cursor | str | None = None) -> AsyncIterator[Message]:
    """Give the messages of `topics` as they come, and first what was sent after `since`.

    Each stands for all that came since the one before: of a topic on which a worker is slow the
    messages are merged. Where something may have been missed, or too much waits, it is a reset.
    A message with a cursor stands behind all that was given before it, of any of the topics; one
    without changes says only that. A worker that keeps the last cursor it has come to, and comes
    back with it, misses nothing. Where several messages waited only the last of them has one.

    Call it in a running event loop. No rules are asked. Raise InvalidTopic for a bare family,
    InvalidCursor for what is no cursor.
    """
    return listen_at(server_of().hub, topics, since)


def _forget_closed_loops() -> None:
    # A server's tasks refer to their loop: a weak dictionary would keep both.
    for loop in list(_servers):
        if loop.is_closed():
            _servers.pop(loop, None)


def _forget_parents() -> None:
    _inherited.extend(_servers.values())
    _servers.clear()


os.register_at_fork(after_in_child=_forget_parents)
