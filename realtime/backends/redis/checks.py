"""System checks of the servers: their versions, and recommended settings."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 -- Django's names
from redis.exceptions import RedisError, ResponseError

from realtime.backends.redis.client import Servers
from realtime.backends.redis.topology import Address

OLDEST = 7
"""The first major version with sharded channels."""

COMMANDS = (
    ("INFO", "server"),
    ("CONFIG GET", "maxmemory-policy"),
    ("CONFIG GET", "appendonly"),
)


def check_servers(servers: Servers) -> list[CheckMessage]:
    """Return check messages about every server that answers."""
    try:
        addresses = sorted(servers.layout().addresses)
    except RedisError as error:
        what = f"Redis cannot be reached, so it was not checked: {error}"
        hint = "Start it, or correct OPTIONS['url']. Until then clients are told late."
        return [Warning(what, hint=hint, id="realtime.W005")]
    return [problem for address in addresses for problem in _check(servers, address)]


def _check(servers: Servers, address: Address) -> list[CheckMessage]:
    try:
        server, policy, appends = servers.ask(address, COMMANDS)
    except RedisError as error:
        return [Warning(f"Redis at {address} does not answer: {error}", id="realtime.W005")]
    found: list[CheckMessage] = []
    version = str(_value(server, "redis_version"))
    if int(version.partition(".")[0] or 0) < OLDEST:
        what = f"Redis at {address} has version {version}: it has no sharded channels."
        hint = f"Use Redis {OLDEST} or newer, or another backend."
        found.append(Error(what, hint=hint, id="realtime.E007"))
    # CONFIG is often forbidden on a hosted server; its settings are unknown then.
    policy = _value(policy, "maxmemory-policy")
    if policy not in (None, "noeviction"):
        what = f"Redis at {address} may forget keys when memory is short: {policy}."
        hint = "Set maxmemory-policy to noeviction; else clients are reset when it does."
        found.append(Warning(what, hint=hint, id="realtime.W006"))
    if _value(appends, "appendonly") == "yes":
        what = f"Redis at {address} writes every message to a file."
        hint = "Switch it off: waiting messages are in the outbox, and a restart resets anyway."
        found.append(Info(what, hint=hint, id="realtime.I001"))
    return found


def _value(reply: Any, name: str) -> object:
    """Return a field of the reply to INFO or CONFIG GET, or None if the command was refused."""
    if isinstance(reply, ResponseError):
        return None
    fields = {_text(key): _text(value) for key, value in reply.items()}
    return fields.get(name)


def _text(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value
