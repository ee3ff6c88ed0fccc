"""A client of each transport behind one interface, for their common tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from django.contrib.auth.models import User

from tests.realtime.http.requests import Request, answer, asking, query, streaming
from tests.realtime.live_client import LiveClient, connected
from tests.realtime.websocket.telling import subscribe

Told = dict[str, Any]


class Watcher(ABC):
    """Watches topics as a user. `position` is the cursor to reconnect with."""

    name: str

    def __init__(self, user: User | None, topics: tuple[str, ...]) -> None:
        self.user = user
        self.topics = topics
        self.position: Any = None

    @abstractmethod
    def watching(self, position: Any = None) -> Any:
        """Return a context within which it watches, from a position on."""

    @abstractmethod
    async def told(self) -> Told:
        """Return the next messages, by topic, without cursors."""

    @abstractmethod
    async def revoked(self) -> set[str]:
        """Return the topics of the next revocation."""

    @abstractmethod
    async def closed(self) -> int:
        """Return the code with which the server closes it next; as an HTTP status for HTTP."""

    @abstractmethod
    async def refused(self) -> set[str]:
        """Return the topics that are refused when it asks for them."""

    @abstractmethod
    async def code_at_the_door(self) -> int:
        """Return the code with which it is refused."""


class SocketWatcher(Watcher):
    """A websocket."""

    name = "websocket"
    client: LiveClient

    @asynccontextmanager
    async def watching(self, position: Any = None) -> AsyncIterator[None]:
        async with connected(self.user) as self.client:
            pairs = [(topic, position[topic]) if position else topic for topic in self.topics]
            self._note(await self.client.subscribe(*pairs))
            yield

    async def told(self) -> Told:
        entries = await self.client.changed()
        self._note(entries)
        return _bare(entries)

    async def revoked(self) -> set[str]:
        return set((await self.client.receive("revoked"))["topics"])

    async def closed(self) -> int:
        return await self.client.closed() - 4000

    async def refused(self) -> set[str]:
        async with connected(self.user) as client:
            await client.send(subscribe(*self.topics))
            if (frame := await client.receive())["type"] == "subscribed":
                frame = await client.receive()
            return set(frame["topics"])

    async def code_at_the_door(self) -> int:
        async with connected(self.user, welcome=False) as client:
            return await client.closed() - 4000

    def _note(self, entries: Mapping[str, Any]) -> None:
        known = self.position or {}
        self.position = known | {topic: entry["cursor"] for topic, entry in entries.items()}


class StreamWatcher(Watcher):
    """Server-sent events."""

    name = "sse"
    stream: Request

    @asynccontextmanager
    async def watching(self, position: Any = None) -> AsyncIterator[None]:
        async with streaming(self.user, *self.topics, last=position) as self.stream:
            await self._take("subscribed")
            yield

    async def told(self) -> Told:
        return _bare(await self._take("changed"))

    async def revoked(self) -> set[str]:
        return set(await self._take("revoked"))

    async def closed(self) -> int:
        code: int = (await self._take("closed"))["code"] - 4000
        assert await self.stream.ended()
        return code

    async def refused(self) -> set[str]:
        status, found = await answer(self.user, query("sse", *self.topics))
        assert status == 403
        return set(found["error"]["topics"])

    async def code_at_the_door(self) -> int:
        return (await answer(self.user, query("sse", *self.topics)))[0]

    async def _take(self, name: str) -> Any:
        event = await self.stream.event(name)
        self.position = event.id or self.position
        return event.data


class PollWatcher(Watcher):
    """Polls again and again, so that a request is always waiting."""

    name = "poll"
    request: Request

    @asynccontextmanager
    async def watching(self, position: Any = None) -> AsyncIterator[None]:
        self.position = position
        if position is None:
            status, found = await answer(self.user, query("changes", *self.topics))
            assert (status, found["topics"]) == (200, {})
            self.position = found["cursor"]
        path = query("changes", *self.topics, since=self.position, wait=20)
        async with asking(self.user, path) as self.request:
            yield

    async def told(self) -> Told:
        await self.request.answered()
        found = await self.request.json()
        assert self.request.status == 200, found
        self.position = found["cursor"]
        await self.request.disconnect()
        again = asking(self.user, query("changes", *self.topics, since=self.position, wait=20))
        self.request = await again.__aenter__()
        return _bare(found["topics"])

    async def revoked(self) -> set[str]:
        await self.request.answered()
        assert self.request.status == 403
        return set((await self.request.json())["error"]["topics"])

    async def closed(self) -> int:
        await self.request.answered()
        return self.request.status

    async def refused(self) -> set[str]:
        status, found = await answer(self.user, query("changes", *self.topics))
        assert status == 403
        return set(found["error"]["topics"])

    async def code_at_the_door(self) -> int:
        return (await answer(self.user, query("changes", *self.topics)))[0]


def _bare(entries: Told) -> Told:
    return {
        topic: {name: value for name, value in entry.items() if name != "cursor"}
        for topic, entry in entries.items()
    }
