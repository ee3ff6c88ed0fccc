"""The Redis backend's PubSub: sends to the servers, and asks for their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from time import monotonic
from typing import ClassVar

from django.core.checks import CheckMessage
from redis.exceptions import RedisError

from realtime.backends.base import Upstream
from realtime.backends.outbox import OutboxPubSub
from realtime.backends.redis.checks import check_servers
from realtime.backends.redis.client import Servers
from realtime.backends.redis.codec import read_now
from realtime.backends.redis.config import config_of
from realtime.backends.redis.keys import Names
from realtime.backends.redis.positions import ServerPosition, cursor_of
from realtime.backends.redis.publish import Retention, publish
from realtime.backends.redis.scripts import NOW, begin
from realtime.backends.redis.stats import facts_of
from realtime.backends.redis.topology import Address
from realtime.backends.redis.upstream import RedisUpstream
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message

REFUSED_FOR = 10.0
"""Seconds during which a server that refused to begin a partition, most likely since the partition
moves, is not asked again: otherwise each page would ask for all partitions.
"""


class RedisPubSub(OutboxPubSub):
    """Carries messages through the Redis at `url`: one server's, or those of some of a cluster.

    All names in Redis begin with `prefix`. At most `keep` messages of each topic are stored, for at
    least `retention` seconds. `timeout` is how long, in seconds, a reply may take.
    """

    supports_replay: ClassVar[bool] = True

    def __init__(
        self,
        url: str | Sequence[str] = "redis://localhost:6379/0",
        prefix: str = "realtime",
        keep: int = 1_000,
        retention: int = 3600,
        timeout: float = 2.0,
        **options: object,
    ) -> None:
        super().__init__(**options)
        for name, value in (("keep", keep), ("retention", retention), ("timeout", timeout)):
            if not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"expected {name} as a number above 0, got {value!r}")
        self.config = config_of(url, timeout)
        self.names = Names(prefix)
        self.keep = Retention(int(keep), int(retention))
        self._servers = Servers(self.config)
        self._begun: dict[str, float] = {}
        """Servers whose partitions were begun, each with the time when to ask again."""

    def check(self) -> list[CheckMessage]:
        """Return check messages about the options and the servers."""
        return [*super().check(), *check_servers(self._servers)]

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages to the servers that hold their partitions."""
        publish(self._servers, self.names, self.keep, messages)

    def facts(self) -> Mapping[str, object]:
        """Return the position, and what each server stores."""
        return {**super().facts(), "servers": facts_of(self._servers, self.names)}

    def ask_position(self) -> Cursor:
        """Ask every server for its position; the cursor leaves out servers that do not answer."""
        positions, error = [], None
        for address in sorted(self._servers.layout().addresses):
            try:
                positions.append(self._position_of(address))
            except RedisError as caught:
                self._servers.expire_layout()
                error = caught
        if not positions:
            raise error or RedisError("no server holds anything")
        return cursor_of(positions)

    def _position_of(self, address: Address) -> ServerPosition:
        """Ask a server for its position.

        A position is valid only once its partition has a state. If this process has not seen the
        server before, the missing states are made first, so that its first pages need no reset.
        """
        # Before asking: a partition that another thread begins now is behind the position.
        begun = {server for server, until in self._begun.items() if monotonic() < until}
        position = self._now(address)
        if position.server in begun:
            return position
        partitions = self._servers.layout().partitions_of(address)
        replies = self._servers.ask(address, [begin(self.names, number) for number in partitions])
        refused = any(isinstance(reply, Exception) for reply in replies)
        if refused:
            self._servers.expire_layout()
        self._begun[position.server] = monotonic() + REFUSED_FOR if refused else inf
        return self._now(address)

    def _now(self, address: Address) -> ServerPosition:
        (reply,) = self._servers.ask(address, [NOW.call(())])
        if isinstance(reply, Exception):
            raise reply
        return read_now(reply)

    def connect(self) -> Upstream:
        """Connect the running event loop to all servers."""
        return RedisUpstream(self.config, self.names)
