"""Sending messages to the servers that hold their partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from redis.exceptions import RedisError, ResponseError

from realtime.backends.redis.client import Command, Servers
from realtime.backends.redis.codec import text_of
from realtime.backends.redis.keys import Names, partition_of
from realtime.backends.redis.scripts import PUBLISH
from realtime.backends.redis.topology import Address, Layout
from realtime.exceptions import NotSent, PartlySent
from realtime.messages.message import Message

CONFIRMED_WITHIN = 200
"""Milliseconds that a replica has to confirm its primary's commands."""


class Retention(NamedTuple):
    """How much of each topic is stored: at most so many messages, for at least so many seconds."""

    messages: int
    seconds: int


def publish(servers: Servers, names: Names, keep: Retention, messages: Sequence[Message]) -> None:
    """Send messages, in this order within a topic; raise PartlySent with those not sent."""
    waiting = [(message, _command(names, keep, message)) for message in messages]
    error: Exception | None = None
    # Two attempts: when a partition has moved, the server that is asked first says so.
    for _ in range(2):
        unsent: list[tuple[Message, Command]] = []
        doubted: set[Address] = set()
        layout = _layout(servers)
        for address, group in _by_owner(layout, waiting).items():
            failed, caught = _send(servers, layout, address, group)
            unsent += failed
            if caught is not None:
                error = caught
                doubted |= {address} if address else set()
        if not unsent:
            return
        waiting = unsent
        servers.expire_layout(doubted)
    why = f"{type(error).__name__}: {error}"
    if len(layout.addresses) == 1:
        raise NotSent(why)
    raise PartlySent(why, [message for message, _ in waiting])


Waiting = Sequence[tuple[Message, Command]]


def _layout(servers: Servers) -> Layout:
    try:
        return servers.layout()
    except RedisError as error:
        raise NotSent(f"{type(error).__name__}: {error}") from error


def _by_owner(
    layout: Layout, waiting: Waiting
) -> dict[Address | None, list[tuple[Message, Command]]]:
    groups = defaultdict(list)
    for message, command in waiting:
        groups[layout.owners[partition_of(message.topic)]].append((message, command))
    return groups


def _send(
    servers: Servers, layout: Layout, address: Address | None, group: Waiting
) -> tuple[list[tuple[Message, Command]], Exception | None]:
    """Send to one server; return the messages that it did not take, and the error."""
    if address is None:
        return list(group), RedisError("no server holds the partition now")
    commands = [command for _, command in group]
    # A primary that was replaced and does not know it yet accepts messages that will be lost. Its
    # replicas follow another primary by then, so none confirms.
    has_replicas = bool(layout.replicas.get(address))
    if has_replicas:
        commands.append(("WAIT", 1, CONFIRMED_WITHIN))
    try:
        replies = servers.ask(address, commands)
    except RedisError as error:
        return list(group), error
    if has_replicas:
        confirmed = replies.pop()
        if isinstance(confirmed, ResponseError) or not confirmed:
            partitions = {partition_of(message.topic) for message, _ in group}
            # Its replicas may be away as well; then no other server has replaced it.
            if not servers.agree_on(address, partitions):
                return list(group), RedisError(f"no replica of {address} confirmed")
    failed = [
        (pair, reply)
        for pair, reply in zip(group, replies, strict=True)
        if isinstance(reply, Exception)
    ]
    return [pair for pair, _ in failed], failed[0][1] if failed else None


def _command(names: Names, keep: Retention, message: Message) -> Command:
    return PUBLISH.call(
        names.keys(message.topic), message.topic, text_of(message), keep.messages, keep.seconds
    )
