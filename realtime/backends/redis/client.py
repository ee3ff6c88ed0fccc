"""Commands to the servers from threads, for publishing and positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import shuffle
from time import monotonic
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as HangsError

from realtime.backends.redis.config import Config
from realtime.backends.redis.scripts import LOADING, unknown_in
from realtime.backends.redis.topology import Address, Layout, layout_of_cluster, layout_of_one

LAYOUT_MAX_AGE = 10.0
"""Seconds after which the servers are asked again which of them holds which partition."""

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 8.0
"""Seconds during which a server that hangs is not asked again; doubled each time.

Otherwise the messages for all other servers would wait too.
"""

REFUSED_BACKOFF = 0.1
"""Seconds during which a server that refuses is not asked again."""

Command = Sequence[object]


class RecentlyFailed(RedisError):
    """The server failed a moment ago, and was not asked again yet."""


class Servers:
    """Connections to all servers, for any thread of this process, also after a fork."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clients: dict[Address, Redis] = {}
        self._backoffs: dict[Address, tuple[float, float]] = {}
        self._layout: tuple[float, Layout] | None = None
        self._doubted: frozenset[Address] = frozenset()

    def layout(self) -> Layout:
        """Return the owners of the partitions, as a server reported lately; raise its error."""
        now = monotonic()
        if self._layout is None or now > self._layout[0]:
            self._layout = now + LAYOUT_MAX_AGE, self._ask_for_layout()
        return self._layout[1]

    def expire_layout(self, doubted: Iterable[Address] = ()) -> None:
        """Ask for the layout again at its next use; ask the servers in `doubted` last.

        A primary that was replaced and does not know it yet would name itself.
        """
        if self._layout is not None:
            self._layout = 0.0, self._layout[1]
        self._doubted = frozenset(doubted)

    def ask(self, address: Address, commands: Sequence[Command]) -> list[Any]:
        """Send commands to a server in one batch; return its replies, errors among them.

        Raise RedisError if the server does not answer, or failed a moment ago.
        """
        until, backoff = self._backoffs.get(address, (0.0, FIRST_BACKOFF))
        if monotonic() < until:
            raise RecentlyFailed(f"{address} failed a moment ago")
        try:
            replies = self._ask(address, commands)
        except HangsError:
            self._backoffs[address] = monotonic() + backoff, min(backoff * 2, LONGEST_BACKOFF)
            raise
        except RedisError:
            self._backoffs[address] = monotonic() + REFUSED_BACKOFF, FIRST_BACKOFF
            raise
        self._backoffs.pop(address, None)
        return replies

    def agree_on(self, owner: Address, partitions: Iterable[int]) -> bool:
        """Ask all other servers for the partitions' owner; return True if all answer `owner`.

        The servers that agree must, with `owner`, be a majority of the primaries: a primary cannot
        be replaced without a majority.
        """
        layout = self.layout()
        followers = (each for group in layout.replicas.values() for each in group)
        agreeing = {owner}
        for other in {*layout.addresses, *followers} - {owner}:
            try:
                theirs = layout_from(self.ask(other, LAYOUT_COMMANDS), other)
            except RedisError:
                continue
            if any(theirs.owners[partition] != owner for partition in partitions):
                return False
            agreeing.add(other)
        return 2 * len(agreeing & layout.addresses) > len(layout.addresses)

    def close(self) -> None:
        """Close the connections."""
        while self._clients:
            self._clients.popitem()[1].close()

    def _ask(self, address: Address, commands: Sequence[Command]) -> list[Any]:
        replies = self._execute(address, commands)
        if unknown := unknown_in(replies):
            self._execute(address, LOADING)
            again = self._execute(address, [commands[number] for number in unknown])
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return replies

    def _execute(self, address: Address, commands: Iterable[Command]) -> list[Any]:
        pipeline = self._client(address).pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        return list(pipeline.execute(raise_on_error=False))

    def _client(self, address: Address) -> Redis:
        client = self._clients.get(address)
        if client is None:
            # Two threads may make one each. One of them is dropped, which costs a connection.
            client = self._clients.setdefault(
                address, Redis(connection_pool=self._config.pool(address))
            )
        return client

    def _ask_for_layout(self) -> Layout:
        known = list(self._layout[1].addresses) if self._layout else []
        shuffle(known)
        error: Exception = Unreachable("there is no server to ask")
        for address in sorted((*known, *self._config.seeds), key=self._doubted.__contains__):
            try:
                return layout_from(self.ask(address, LAYOUT_COMMANDS), address)
            except RedisError as caught:
                error = caught
        raise error


LAYOUT_COMMANDS: Sequence[Command] = (("INFO", "cluster"), ("CLUSTER SLOTS",))


def layout_from(replies: Sequence[Any], asked: Address) -> Layout:
    """Return the layout from a server's replies to `LAYOUT_COMMANDS`."""
    cluster, slots = replies
    if isinstance(cluster, ResponseError):
        raise cluster
    if not _field(cluster, "cluster_enabled"):
        return layout_of_one(asked)
    if isinstance(slots, ResponseError):
        raise slots
    return layout_of_cluster(slots, asked)


def _field(info: Any, name: str) -> int:
    """Return a number of INFO's reply, parsed by redis-py or as the server's text."""
    if isinstance(info, dict):
        return int(info.get(name, 0))
    text = info.decode() if isinstance(info, bytes) else str(info)
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines.get(name, 0))
