"""The connections of this process and their waiting messages, as shown to operators."""

from __future__ import annotations

from heapq import nlargest
from time import monotonic

import msgspec

from realtime.connections.connection import Connection
from realtime.connections.subscription import State, Subscription
from realtime.messages.cursors import Cursor
from realtime.messages.topics import Topic
from realtime.ops.process import process_name
from realtime.ops.topics import MOST_LISTED
from realtime.server import Server


class Client(msgspec.Struct, frozen=True):
    """A connection: its age in seconds, its waiting messages, seconds since its last `pong`.

    `user` is a primary key; empty if anonymous. A transport without pings has no `pong`.
    """

    id: str
    user: str
    transport: str
    seconds: float
    topics: int
    waiting_topics: int
    waiting_rows: int
    waiting_frames: int
    held_back: bool
    pong: float | None


class Clients(msgspec.Struct, frozen=True):
    """The connections of a process with the most waiting rows; `total` counts all of them."""

    process: str
    total: int
    connections: list[Client]


class Watch(msgspec.Struct, frozen=True):
    """A topic that a client watches, the cursor that it was sent last, and its waiting rows.

    `pending`: the backend has not confirmed it yet. `in_doubt`: its rule is asked again. `held`:
    for one of these reasons its messages are not sent.
    """

    topic: str
    cursor: str | None
    waiting_rows: int | None
    pending: bool
    in_doubt: bool
    held: bool


class OneClient(msgspec.Struct, frozen=True):
    """A connection and its topics, up to a limit; None if it belongs to another process."""

    process: str
    connection: Client | None
    watches: list[Watch]


def clients_here(server: Server, limit: int = 100, user: str | None = None) -> Clients:
    """Return the connections of this process, or those of one user, given by primary key."""
    connections = server.connections
    chosen = list(connections) if user is None else connections.of_user(user)
    largest = nlargest(min(limit, MOST_LISTED), chosen, key=_weight)
    return Clients(process_name(), len(chosen), [_client(each) for each in largest])


def client_here(server: Server, id: str, limit: int = 100) -> OneClient:  # noqa: A002 -- a frame's word
    """Return a connection with its topics, held ones and those with waiting rows first."""
    connection = server.connections.get(id)
    if connection is None:
        return OneClient(process_name(), None, [])
    watches = sorted(_watches(connection), key=_urgency, reverse=True)
    return OneClient(process_name(), _client(connection), watches[: min(limit, MOST_LISTED)])


def _weight(connection: Connection) -> tuple[int, int, float]:
    return connection.mailbox.rows, len(connection.mailbox), -connection.began


def _client(connection: Connection) -> Client:
    facts = connection.transport.facts()
    frames, pong = facts.get("frames"), facts.get("pong")
    return Client(
        id=connection.id,
        user=connection.identity.key,
        transport=connection.transport.name,
        seconds=round(monotonic() - connection.began, 1),
        topics=len(connection.subscriptions.cursors),
        waiting_topics=len(connection.mailbox),
        waiting_rows=connection.mailbox.rows,
        waiting_frames=frames if isinstance(frames, int) else 0,
        held_back=bool(facts.get("held_back")),
        pong=pong if isinstance(pong, int | float) else None,
    )


def _watches(connection: Connection) -> list[Watch]:
    waiting = connection.mailbox.waiting()
    return [
        _watch(topic, cursor, waiting.get(topic), connection.subscriptions.unsettled(topic))
        for topic, cursor in connection.subscriptions.cursors.items()
    ]


def _watch(
    topic: Topic, cursor: Cursor | str | None, rows: int | None, unsettled: Subscription | None
) -> Watch:
    return Watch(
        topic=str(topic),
        cursor=None if cursor is None else str(cursor),
        waiting_rows=rows,
        pending=unsettled is not None and unsettled.state is State.PENDING,
        in_doubt=unsettled is not None and bool(unsettled.in_doubt),
        held=unsettled is not None and unsettled.is_held,
    )


def _urgency(watch: Watch) -> tuple[bool, bool, int]:
    return watch.held, watch.waiting_rows is not None, watch.waiting_rows or 0
