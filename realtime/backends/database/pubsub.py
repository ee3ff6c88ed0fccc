"""Messages in the project's own databases, stored in the writer's transaction.

This is the default: it needs no further service, and serves any number of processes. A message is a
row, inserted in the transaction of the change, so it exists if and only if the change does.
Receivers poll every `interval` seconds and read the rows behind their position. A commit in the
receiver's own process wakes it at once.

Which rows are behind a position depends on the database. SQLite has one writer at a time, so ids
are in commit order, and `PRAGMA data_version` reports in microseconds that nothing was committed.
On PostgreSQL a position is a snapshot, and a poll is one query. The check `realtime.E003` refuses
other databases.

A project that tracks models on several databases names all of them. Each stores the messages of its
own transactions, and a cursor holds a position in each.
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
"""A cursor has a maximum length, and holds a position for each database."""


class DatabasePubSub(PubSub):
    """Carries messages through the databases `aliases`.

    `interval` is how often, in seconds, a process polls for commits of other processes. `retention`
    is how long, in seconds, a record is kept after it was first seen.
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
        """Report databases on which this backend would miss messages."""
        return [problem for alias in self.aliases for problem in _check(alias)]

    def stores_on(self, using: str) -> bool:
        """Return True for the databases of this backend: their transactions store messages."""
        return using in self.aliases

    def prepare(self, messages: Sequence[Message], using: str) -> Callable[[], None]:
        """Store the messages in the writer's transaction; its commit sends them."""
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
        """Return the position in the databases, and how many records each of them stores."""
        return {**super().facts(), "records": {a: records.count(a) for a in self.aliases}}

    def connect(self) -> Upstream:
        """Make an upstream with one thread for each database, for the running event loop."""
        return DatabaseUpstream(self.aliases, interval=self.interval, retention=self.retention)

    def _send(self, messages: Sequence[Message]) -> None:
        """Store messages of a transaction that committed on another database."""
        records.write(messages, self.aliases[0])
        _announce(self.aliases[0])


def _announce(alias: str) -> None:
    """Wake the readers after a commit: those of this process, and of other processes."""
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
