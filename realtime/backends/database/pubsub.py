"""Messages in the project's own databases, stored in the writer's transaction.

The default: no further service, any number of processes. A message is a row, inserted in the
transaction that it tells of, so it exists if and only if the change does. Receivers look for
news every `interval` seconds and read the rows behind their position. A commit in the receiver's
own process wakes it at once.

What stands behind a position depends on the database. SQLite has one writer at a time, so ids are
in the order of the commits, and `PRAGMA data_version` tells in microseconds that nothing happened.
On PostgreSQL a position is a snapshot, and a look one query. Others are refused by the check
`realtime.E003`.

A project that tracks models on several databases names them all: each keeps the messages of its own
transactions, and a cursor is a position in every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from django.core.checks import CheckMessage, Error
from django.db import connections

from realtime.backends.base import PubSub, Upstream, nothing_to_do
from realtime.backends.database import joint_cursor, records
from realtime.backends.database.reader import wake_readers
from realtime.backends.database.upstream import DatabaseUpstream
from realtime.backends.database.wakeup import notify
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message

MOST_ALIASES = 4
"""A cursor has a length, and holds a position for each."""


class DatabasePubSub(PubSub):
    """Carry messages through the databases `aliases`.

    `interval` is how often, in seconds, a process looks for what others have committed;
    `retention` how long, in seconds, a record is kept after it was first seen.
    """

    supports_replay: ClassVar[bool] = True

    def __init__(
        self,
        aliases: Sequence[str] = ("default",),
        interval: float = 0.05,
        retention: float = 3600.0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        for name, value in (("interval", interval), ("retention", retention)):
            if not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"expected {name} in seconds, above 0, got {value!r}")
        if isinstance(aliases, str) or not 0 < len(aliases) <= MOST_ALIASES:
            raise ValueError(f"expected aliases as a list of 1 to {MOST_ALIASES}, got {aliases!r}")
        self.aliases = tuple(dict.fromkeys(aliases))
        self.interval = interval
        self.retention = retention

    def check(self) -> list[CheckMessage]:
        """Refuse databases on which this backend would miss messages."""
        return [problem for alias in self.aliases for problem in _check(alias)]

    def stores_on(self, using: str) -> bool:
        """Messages are stored in the transactions of the databases that this was given."""
        return using in self.aliases

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Store the messages with the writer's transaction; commit sends them."""
        if not messages:
            return nothing_to_do
        if not self.stores_on(using):
            return lambda: self._send(messages)
        records.write(messages, using)
        return lambda: _announce(using)

    def position(self) -> Cursor:
        """Return the position of now, in the snapshots that the caller reads in."""
        return joint_cursor.join([records.head(alias) for alias in self.aliases])

    def facts(self) -> Mapping[str, object]:
        """Return how far the databases are, and how many records each of them keeps."""
        return {**super().facts(), "records": {a: records.count(a) for a in self.aliases}}

    def connect(self) -> Upstream:
        """Start a thread for each database, that reads it for the running event loop."""
        return DatabaseUpstream(self.aliases, interval=self.interval, retention=self.retention)

    def _send(self, messages: Sequence[Message]) -> None:
        """Store messages of a transaction that committed on another database."""
        records.write(messages, self.aliases[0])
        _announce(self.aliases[0])


def _announce(alias: str) -> None:
    """Say that something was committed: to this process's readers, and to others'."""
    if not notify(alias):
        wake_readers(alias)


def _check(alias: str) -> list[CheckMessage]:
    if alias not in connections:
        hint = f"Name some of {sorted(connections)} in REALTIME['PUBSUB']['OPTIONS']['aliases']."
        return [Error(f"There is no database {alias!r}.", hint=hint, id="realtime.E004")]
    vendor = connections[alias].vendor
    if vendor not in records.VENDORS:
        hint = "Keep messages on SQLite or PostgreSQL, or use MemoryPubSub."
        what = f"DatabasePubSub does not support {vendor}: it would miss messages."
        return [Error(what, hint=hint, id="realtime.E003")]
    return []
