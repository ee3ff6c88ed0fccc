"""One interface to send to topics and receive: by our backend, and by two channel layers.

A message holds a stamp: the time of its sending, by a clock that all processes share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from asgiref.sync import async_to_sync
from django.db import DEFAULT_DB_ALIAS, transaction

NAMES = {
    "redis": "ours",
    "core": "channels_redis core",
    "pubsub": "channels_redis pubsub",
}


class Carrier(ABC):
    """Sends to topics, and receives from them. Topics are numbers."""

    @abstractmethod
    def commit(self, topic: int, stamp: str) -> None:
        """Send a message when the current transaction commits, as a view would."""

    @abstractmethod
    async def send_all(self, topics: Sequence[int], stamp: str) -> None:
        """Send a message to each of these topics, as fast as possible."""

    @abstractmethod
    async def listen(self, topics: Iterable[int]) -> None:
        """Listen to topics from here on."""

    @abstractmethod
    async def receive(self) -> list[str]:
        """Wait for messages; return their stamps."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""


class OurCarrier(Carrier):
    """The Redis backend, through its outbox for messages sent on commit."""

    def __init__(self, url: str) -> None:
        from realtime.backends.redis import RedisPubSub

        self._pubsub = RedisPubSub(url.split(","))
        self._upstream: Any = None

    def commit(self, topic: int, stamp: str) -> None:
        transaction.on_commit(self._pubsub.prepare([_message(topic, stamp)], DEFAULT_DB_ALIAS))

    async def send_all(self, topics: Sequence[int], stamp: str) -> None:
        # As the relay does: waiting messages are sent together.
        for start in range(0, len(topics), 100):
            self._pubsub.send([_message(topic, stamp) for topic in topics[start : start + 100]])

    async def listen(self, topics: Iterable[int]) -> None:
        from realtime.messages.topics import Topic

        self._upstream = self._upstream or self._pubsub.connect()
        await self._upstream.watch([Topic.of("room", topic) for topic in topics])

    async def receive(self) -> list[str]:
        received = await self._upstream.receive()
        return [stamp for message in received for stamp in message.changes["bench.row"]]

    async def close(self) -> None:
        if self._upstream is not None:
            await self._upstream.close()


class LayerCarrier(Carrier):
    """A channel layer, used as documented."""

    def __init__(self, url: str, kind: str) -> None:
        from channels_redis.core import RedisChannelLayer
        from channels_redis.pubsub import RedisPubSubChannelLayer

        # The default capacity of 100 drops most of a burst; this one holds all of it.
        make = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[kind]
        self._layer = make(hosts=[url], capacity=1_000_000)
        self._channel = ""

    def commit(self, topic: int, stamp: str) -> None:
        transaction.on_commit(lambda: async_to_sync(self._send)(topic, stamp))

    async def send_all(self, topics: Sequence[int], stamp: str) -> None:
        for topic in topics:
            await self._send(topic, stamp)

    async def listen(self, topics: Iterable[int]) -> None:
        self._channel = self._channel or await self._layer.new_channel()
        for topic in topics:
            await self._layer.group_add(f"room.{topic}", self._channel)

    async def receive(self) -> list[str]:
        message = await self._layer.receive(self._channel)
        return [message["stamp"]]

    async def close(self) -> None:
        await self._layer.flush()

    async def _send(self, topic: int, stamp: str) -> None:
        changes = {"bench.row": {stamp: "updated"}}
        message = {"type": "invalidate", "stamp": stamp, "topic": topic, "changes": changes}
        await self._layer.group_send(f"room.{topic}", message)


def carrier(kind: str, url: str) -> Carrier:
    """Return a carrier by its name."""
    return OurCarrier(url) if kind == "redis" else LayerCarrier(url, kind)


def _message(topic: int, stamp: str) -> Any:
    from realtime.messages.message import Message
    from realtime.messages.topics import Topic

    return Message(Topic.of("room", topic), {"bench.row": {stamp: "updated"}})
