"""What the servers hold, counted for an operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from realtime.backends.redis.layout import Address
from realtime.backends.redis.names import Names
from realtime.backends.redis.scripts import NOW
from realtime.backends.redis.servers import Command, Servers
from realtime.backends.redis.wire import read_now
from realtime.topics import Topic

MOST = 10_000
"""Topics of a server whose messages are counted. With more, only the topics are."""


def facts_of(servers: Servers, names: Names) -> dict[str, dict[str, object]]:
    """Return for each server its epoch, and how many topics and messages it keeps.

    Or what came, for one that does not answer. Raise RedisError if none says who holds what.
    """
    return {
        str(address): _facts(servers, names, address)
        for address in sorted(servers.layout().addresses)
    }


def _facts(servers: Servers, names: Names, address: Address) -> dict[str, object]:
    partitions = servers.layout().partitions_of(address)
    counts: list[Command] = [("ZCARD", names.index(number)) for number in partitions]
    try:
        now, *sizes = _ask(servers, address, [NOW.call(()), *counts])
        topics = sum(sizes)
        found = {"epoch": read_now(now).server, "partitions": len(partitions), "topics": topics}
        if topics <= MOST:
            found["messages"] = _messages(servers, names, address, partitions)
    except RedisError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return found


def _messages(servers: Servers, names: Names, address: Address, partitions: Sequence[int]) -> int:
    asked = [("ZRANGE", names.index(number), 0, -1) for number in partitions]
    topics = [Topic(each.decode()) for some in _ask(servers, address, asked) for each in some]
    return sum(_ask(servers, address, [("LLEN", names.log(topic)) for topic in topics]))


def _ask(servers: Servers, address: Address, commands: Sequence[Command]) -> list[Any]:
    replies = servers.ask(address, commands) if commands else []
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
