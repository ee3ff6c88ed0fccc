"""The state that serves clients: one `Server` per event loop, found by `server_of()`.

A serving process has one event loop, so one server. A program with several loops, in several
threads or one after another, has one server for each. They share only the state of the process.

- State of the process, not of a server: the backend (`realtime.backends`), the rules and their
  threads, the relay of the outbox, and the counters (`realtime.telemetry`), which continue when a
  loop ends.
- End of a loop: call `close_server()` in it, last. The server of a loop that was closed without
  this is forgotten when the next server is made.
- Fork: the child starts without servers.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable

from realtime.access.identity_loader import IdentityLoader
from realtime.access.ticket_checks import TicketChecks
from realtime.backends import PubSub, get_pubsub
from realtime.backends.outage import Outage
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

logger = logging.getLogger("realtime.hub")


class Server:
    """The hub and the connections of one event loop, with the parts that serve all connections.

    It owns its parts, which belong to that loop; other threads may read their counts. Each part is
    passed the parts that it needs, and does not know the server.
    """

    def __init__(self, pubsub: PubSub) -> None:
        """Use `pubsub` as the backend; the hub connects when it is started."""
        self.heartbeat = Heartbeat()
        self.flush_queue = FlushQueue()
        self.connections = Connections(self.heartbeat)
        self.drain = Drain(self.connections)
        self.revocation = Revocation(self.connections)
        self.identity_loader = IdentityLoader()
        self.ticket_checks = TicketChecks()
        self.hub = Hub(pubsub, [self.revocation])
        self.admission = Admission(
            self.connections, self.revocation, self.identity_loader, self.hub, self.ticket_checks
        )

    async def close(self) -> None:
        """Stop the drain, identity loader and hub. Connections end with their transports."""
        self.drain.stop()
        await self.identity_loader.close()
        await self.hub.close()


_servers: dict[asyncio.AbstractEventLoop, Server] = {}

_no_backend = Outage(
    logger,
    away="this process receives no changes: its backend cannot be made",
    back="this process receives changes: its backend was made",
    expected=(),
)

_inherited: list[Server] = []
"""In a forked child: the parent's servers, never used and never freed.

They hold the parent's sockets. A client library that is freed may send its goodbye on them.
"""


def server_of(
    loop: asyncio.AbstractEventLoop | None = None, make: Callable[[], PubSub] | None = None
) -> Server:
    """Return the server of an event loop, the running one by default; make it on the first call.

    `make` returns the backend of a new server, by default the project's. Its errors are raised
    here, such as BackendMissing.
    """
    loop = loop or asyncio.get_running_loop()
    found = _servers.get(loop)
    if found is None:
        _forget_closed_loops()
        found = _servers[loop] = Server((make or get_pubsub)())
    return found


def server_of_request() -> Server:
    """Return the running event loop's server, as `server_of()`; raise its errors.

    The errors are logged: the first with its traceback, the later ones only for debugging, until a
    call succeeds, which is logged too.
    """
    try:
        server = server_of()
    except Exception as error:
        _no_backend.begin(error)
        raise
    _no_backend.end()
    return server


def known_server() -> Server | None:
    """Return the running event loop's server; None if it has none yet."""
    return _servers.get(asyncio.get_running_loop())


def all_servers() -> list[Server]:
    """Return all servers of this process; from any thread."""
    return list(_servers.values())


async def close_server() -> None:
    """Close and forget the running event loop's server, if it has one."""
    found = _servers.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def listen(topics: Iterable[str], since: Cursor | str | None = None) -> AsyncIterator[Message]:
    """Yield the messages of `topics` as they arrive, first those sent after `since`.

    While the worker is slow, messages of a topic are merged into one. A reset replaces them if some
    may have been missed, or if too many rows wait. A message's cursor covers all messages yielded
    up to it, of all topics; a message without changes has only a new cursor. A worker that stores
    the last cursor and passes it as `since` when it restarts misses no changes. Of several messages
    that waited together only the last has a cursor.

    Call it in a running event loop. Rules are not asked. Raise InvalidTopic for a bare family,
    InvalidCursor for a malformed cursor.
    """
    return listen_at(server_of().hub, topics, since)


def _forget_closed_loops() -> None:
    # A weak dictionary would not do: a server's tasks refer to their loop, and keep it alive.
    for loop in list(_servers):
        if loop.is_closed():
            _servers.pop(loop, None)


def _forget_parents() -> None:
    _inherited.extend(_servers.values())
    _servers.clear()


os.register_at_fork(after_in_child=_forget_parents)
