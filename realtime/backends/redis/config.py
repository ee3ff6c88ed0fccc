"""How to connect to the servers: the backend's options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import asyncio as aioredis
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.connection import parse_url as parse_url_for_threads
from redis.retry import Retry

from realtime.backends.redis.topology import Address

PORT = 6379


@dataclass(frozen=True)
class Config:
    """`urls` of one server, or of some of a cluster. All other options are the same for all.

    `timeout` is how long, in seconds, a reply may take.
    """

    urls: tuple[str, ...]
    timeout: float

    @property
    def seeds(self) -> list[Address]:
        """The servers that the project named."""
        return [_address(parse_url(url)) for url in self.urls]

    def connection(self, address: Address) -> AbstractConnection:
        """Return a connection for an event loop, not connected yet.

        redis-py would reconnect by itself, and a message that was pushed meanwhile would be lost
        silently. So the connection has no retries and no health checks. It has no timeout for
        replies either: redis-py waits with `asyncio.wait_for`, which before Python 3.12 swallows a
        cancellation that arrives as the wait ends. The callers set deadlines.
        """
        arguments = self._arguments(dict(parse_url(self.urls[0])), address)
        cls: type[AbstractConnection] = arguments.pop("connection_class", aioredis.Connection)
        arguments["socket_timeout"] = None
        return cls(**arguments, retry=AsyncRetry(NoBackoff(), 0))

    def pool(self, address: Address) -> ConnectionPool:
        """Return a pool of connections for threads."""
        given: dict[str, Any] = parse_url_for_threads(self.urls[0])  # type: ignore[no-untyped-call]
        arguments = self._arguments(given, address)
        return ConnectionPool(**arguments, retry=Retry(NoBackoff(), 0))

    def _arguments(self, given: dict[str, Any], address: Address) -> dict[str, Any]:
        """Return the arguments of both kinds of connection: the URL's, with another address."""
        where = {"host": address.host, "port": address.port} if address.port else {}
        fixed = {
            "socket_timeout": self.timeout,
            "socket_connect_timeout": self.timeout,
            "protocol": 2,
            "decode_responses": False,
            "client_name": "realtime",
        }
        return {**given, **where, **fixed}


def config_of(url: str | Sequence[str], timeout: float) -> Config:
    """Validate options and return them; raise ValueError for an invalid URL."""
    urls = (url,) if isinstance(url, str) else tuple(url)
    if not urls or not all(isinstance(each, str) for each in urls):
        raise ValueError(f"expected url as text, or a list of them, got {url!r}")
    for each in urls:
        parse_url(each)
    return Config(urls, timeout)


def _address(arguments: Any) -> Address:
    if "path" in arguments:
        return Address(arguments["path"], 0)
    return Address(arguments.get("host", "localhost"), arguments.get("port", PORT))
