"""Counts of the topics and messages on each server, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from realtime.backends.redis.client import Command, Servers
from realtime.backends.redis.codec import read_now
from realtime.backends.redis.keys import Names
from realtime.backends.redis.scripts import NOW
from realtime.backends.redis.topology import Address

MOST_TOPICS_COUNTED = 10_000
"""Topics of a server whose messages are counted. If there are more, only topics are counted."""


def facts_of(servers: Servers, names: Names) -> dict[str, dict[str, object]]:
    """Return for each server its epoch, and how many topics and messages it stores.

    Return the error for a server that does not answer. Raise RedisError if no server reports the
    layout.
    """
    return {
        str(address): _facts(servers, names, address)
        for address in sorted(servers.layout().addresses)
    }


def _facts(servers: Servers, names: Names, address: Address) -> dict[str, object]:
    partitions = servers.layout().partitions_of(address)
    counts: list[Command] = [("ZCARD", names.index(number)) for number in partitions]
    try:
        now, *sizes = servers.ask(address, [NOW.call(()), *counts])
        if isinstance(now, Exception):
            raise now
        topics = sum(_answered(sizes))
        found = {"epoch": read_now(now).server, "partitions": len(partitions), "topics": topics}
        if topics <= MOST_TOPICS_COUNTED:
            found["messages"] = _messages(servers, names, address, partitions)
    except RedisError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return found


def _messages(servers: Servers, names: Names, address: Address, partitions: Sequence[int]) -> int:
    asked = [("ZRANGE", names.index(number), 0, -1) for number in partitions]
    topics = [
        names.log(each.decode(errors="replace"))
        for some in _answered(servers.ask(address, asked) if asked else [])
        for each in some
    ]
    return sum(_answered(servers.ask(address, [("LLEN", topic) for topic in topics])))


def _answered(replies: Sequence[Any]) -> list[Any]:
    """Leave out refused replies: a partition that moves, or a command that is not permitted."""
    return [reply for reply in replies if not isinstance(reply, Exception)]
