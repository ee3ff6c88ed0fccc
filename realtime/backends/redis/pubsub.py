"""Sends through Redis, and listens there."""

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
from realtime.messages.cursors import Cursor
from realtime.messages.message import Message

REFUSED_FOR = 10.0
"""Seconds for which a server that refused to begin with a partition, while that moves most likely,
is not asked to again: each page would ask for all of them."""


class RedisPubSub(OutboxPubSub):
    """Carry messages through the Redis at `url`: a server's, or those of some of a cluster.

    `prefix` begins all names there. Of each topic `keep` messages are kept at most, for
    `retention` seconds at least; `timeout` is how long, in seconds, an answer may take.
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
        """Servers whose partitions have a beginning, each with when it is to be asked for again."""

    def check(self) -> list[CheckMessage]:
        """Ask the servers what they are, and say what should be otherwise."""
        return [*super().check(), *check_servers(self._servers)]

    def send(self, messages: Sequence[Message]) -> None:
        """Hand messages to the servers that hold their partitions."""
        publish(self._servers, self.names, self.keep, messages)

    def facts(self) -> Mapping[str, object]:
        """Return how far all servers are, and what each of them keeps."""
        return {**super().facts(), "servers": facts_of(self._servers, self.names)}

    def ask_position(self) -> Cursor:
        """Ask every server where it stands; those that do not answer have no part in the cursor."""
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
        """Ask a server where it stands.

        A position counts from when its partition has a state. One that this process has not met
        before is given what it lacks first, so that its first pages need no reset.
        """
        # Before asking: what a thread begins now is behind the position.
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
        """Listen to all servers, for the running event loop."""
        from realtime.backends.redis.upstream import RedisUpstream  # noqa: PLC0415

        return RedisUpstream(self.config, self.names)
